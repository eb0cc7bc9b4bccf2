"""Monitor deployed endpoints: schedules, checks, alarms, ground truth and health: `python -m monitoring`."""
