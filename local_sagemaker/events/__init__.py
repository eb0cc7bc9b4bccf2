"""State-change events, rules, alarms and schedules: what EventBridge, CloudWatch alarms and Scheduler do on AWS."""
