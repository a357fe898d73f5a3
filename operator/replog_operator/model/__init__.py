"""The words that the planner and its platforms share: what is wanted, seen, done and waited for."""
