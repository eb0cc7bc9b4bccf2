"""CloudWatch Logs: the log groups of jobs and functions."""
