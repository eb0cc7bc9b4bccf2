"""The error that becomes a training job's FailureReason."""


class TrainingError(Exception):
    """Training cannot continue; the message names the thing, the value and the next move."""
