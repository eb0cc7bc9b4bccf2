"""SageMaker's operations, a module for each resource: functions of the context and a validated request."""
