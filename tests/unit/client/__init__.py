"""The client library against real HTTP servers that answer as a test tells them to."""
