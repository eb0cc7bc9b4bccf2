"""AWS Lambda: Python functions from zip archives, each run in a process of its own."""
