"""Tags of buckets and objects."""

from collections.abc import Collection

from local_sagemaker.services.s3.errors import S3Error


def check_tags(tags: Collection[tuple[str, str]], most: int) -> None:
    """Check the keys and values of tags. Raises S3Error (InvalidTag, BadRequest)."""
    if len({key for key, _ in tags}) < len(tags):
        raise S3Error("InvalidTag", 400, "Cannot provide multiple Tags with the same key")
    if len(tags) > most:
        raise S3Error("BadRequest", 400, f"there can be up to {most} tags, got {len(tags)}")
    for key, value in tags:
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise S3Error("InvalidTag", 400, "a tag has a key of 1 to 128 characters and a value of up to 256")
