"""The error response of S3."""


class S3Error(Exception):
    """An error response: S3's error code, the HTTP status, a message, and more elements of the XML document."""

    def __init__(self, code: str, status: int, message: str, **elements: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message
        self.elements = elements
