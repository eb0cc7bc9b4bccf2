"""Model Monitor: schedules that run processing jobs on the captured data of endpoints and batch transforms."""
