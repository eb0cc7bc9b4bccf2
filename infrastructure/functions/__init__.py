"""Lambda's handlers, each `handler(event, context)`.

An event that is not what a function is for is logged and dropped: raising would only have it delivered again.
"""
