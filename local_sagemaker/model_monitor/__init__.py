"""Model Monitor: schedules that start processing jobs on what endpoints and batch transforms have captured."""
