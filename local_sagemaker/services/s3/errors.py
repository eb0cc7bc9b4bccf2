"""The error response of S3."""


class S3Error(Exception):
    """An error response: S3's error code, the HTTP status and a message."""

    def __init__(self, code: str, status: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message
