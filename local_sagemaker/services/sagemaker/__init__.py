"""SageMaker's operations by subject: each takes the service and a checked request and gives the response."""
