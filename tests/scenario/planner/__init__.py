"""What the planner does on each way that a log goes, step by step."""
