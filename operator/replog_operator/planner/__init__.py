"""What to do next with a log, decided by pure functions of what is wanted and what is seen."""
