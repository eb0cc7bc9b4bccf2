"""One request to S3, addressed."""

from dataclasses import dataclass

from werkzeug.wrappers import Request

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.uploads import Uploads
from local_sagemaker.storage.objects import ObjectStore


@dataclass(frozen=True)
class Call:
    """What an operation works on; `key` is empty for an operation on a bucket."""

    request: Request
    bucket: str
    key: str
    objects: ObjectStore
    uploads: Uploads

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter that is a number from 0 on; more than `most` is `most`. Raises S3Error."""
        text = self.request.args.get(name, "")
        if text == "":
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise S3Error("InvalidArgument", 400, f"{name} must be a number from 0 to {most}, it is {text[:100]!r}")
        return min(int(text), most)
