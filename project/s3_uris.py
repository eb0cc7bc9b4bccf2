"""S3 URIs as text."""


def is_s3_uri(text: str) -> bool:
    return text.startswith("s3://")


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; the key is empty where the URI is that of a bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
