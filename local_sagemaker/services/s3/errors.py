"""The error response of S3."""

from collections.abc import Mapping


class S3Error(Exception):
    """An error response: S3's error code, the HTTP status, a message, headers, and more elements of the document."""

    def __init__(
        self, code: str, status: int, message: str, *, headers: Mapping[str, str] | None = None, **elements: str
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.elements = elements
