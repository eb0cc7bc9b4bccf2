"""The one error that the local SageMaker answers a client with."""


class ServiceError(Exception):
    """An operation refused, as the service words it.

    `code` is AWS's error code (`ValidationException`, `ResourceNotFound`, `ConflictException`, ...); it travels to the
    client in the response, where boto3 raises it as `ClientError`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
