"""What happens by itself: events and the rules that match them, alarms, schedules."""
