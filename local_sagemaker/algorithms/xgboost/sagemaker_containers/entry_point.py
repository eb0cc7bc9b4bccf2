"""The hosts of a job."""


def _wait_hostname_resolution() -> None:
    """Return at once: all hosts of a job are on this machine."""
