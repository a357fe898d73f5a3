"""The documents say what is: links lead somewhere, and what they tell to type works."""
