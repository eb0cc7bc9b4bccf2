"""The one kind of error that a command shows as a message."""


class UserError(Exception):
    """Something that a person can put right; the message names the thing, the value and the next move."""
