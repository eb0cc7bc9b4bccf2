"""S3 URIs."""


def is_s3_uri(text: str) -> bool:
    return text.startswith("s3://")


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key` into bucket and key; the key of a bucket's URI is empty."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
