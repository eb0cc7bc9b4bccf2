"""Handlers of the Lambda functions.

Unexpected events are logged and ignored: after an exception, EventBridge would deliver them again.
"""
