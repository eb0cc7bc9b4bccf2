"""S3 over HTTP, onto `ObjectStore`: the buckets and objects of one data directory by S3's REST protocol.

Path-style (`/bucket/key`) and virtual-host-style (`bucket.localhost`) addressing. Bodies are streamed both ways.
There are no versions, no access control and no signatures to check: the server is this machine's own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ACCOUNT
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.errors import refusal_by_disk
from local_sagemaker.services.s3 import bucket_operations, object_operations, upload_operations
from local_sagemaker.services.s3.call import Call
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.uploads import Uploads
from local_sagemaker.services.s3.xml import document
from local_sagemaker.storage.objects import BadName, NoSuchBucket, NoSuchKey, ObjectStore

log = logging.getLogger(__name__)

Operation = Callable[[Call], Response]

# by method and subresource: the query parameter that turns an operation into another one
BUCKET_OPERATIONS: dict[tuple[str, str], Operation] = {
    **bucket_operations.OPERATIONS,
    **upload_operations.BUCKET_OPERATIONS,
}
OBJECT_OPERATIONS: dict[tuple[str, str], Operation] = {
    **object_operations.OPERATIONS,
    **upload_operations.OBJECT_OPERATIONS,
}
SERVICE_HOST = re.compile(r"(?:(.+)\.)?s3(?:[.-][a-z0-9-]+)*\.(?:localhost|amazonaws\.com(?:\.cn)?)")
SUBRESOURCES = frozenset(
    {
        *("accelerate", "acl", "analytics", "attributes", "cors", "delete", "encryption", "intelligent-tiering"),
        *("inventory", "legal-hold", "lifecycle", "location", "logging", "metrics", "notification", "object-lock"),
        *("ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment"),
        *("restore", "retention", "select", "tagging", "torrent", "uploadId", "uploads", "versioning", "versions"),
        "website",
    }
)


class S3Service:
    """Answers S3's operations for the objects of one data directory."""

    def __init__(self, objects: ObjectStore, data_dir: DataDir) -> None:
        self._objects = objects
        self._uploads = Uploads(data_dir.uploads, objects)

    def respond(self, request: Request) -> Response:
        """Answer one request; every refusal is S3's XML error with its status."""
        try:
            response = self._respond(request)
        except S3Error as error:
            response = _error_response(error)
        except NoSuchBucket as error:
            response = _error_response(S3Error("NoSuchBucket", 404, str(error)))
        except NoSuchKey as error:
            response = _error_response(S3Error("NoSuchKey", 404, str(error)))
        except BadName as error:
            response = _error_response(S3Error("InvalidArgument", 400, str(error)))
        except (ClientDisconnected, TimeoutError):
            response = _error_response(S3Error("IncompleteBody", 400, "the body ended before its announced length"))
        except OSError as error:
            log.error("%s %s: %s", request.method, request.path, error)
            response = _error_response(S3Error(*refusal_by_disk(error)))
        if request.method == "HEAD" and response.status_code >= 400:
            response.set_data(b"")
        return response

    def _respond(self, request: Request) -> Response:
        bucket, key = _address(request)
        call = Call(request, bucket, key, self._objects, self._uploads)
        owner = request.headers.get("x-amz-expected-bucket-owner", ACCOUNT)
        if owner != ACCOUNT:
            raise S3Error("AccessDenied", 403, f"the buckets here belong to account {ACCOUNT}, not to {owner}")
        subresource = next((name for name in request.args if name in SUBRESOURCES), "")
        if not bucket:
            if request.method == "GET":
                return bucket_operations.list_buckets(call)
            operation = None
        else:
            operation = (OBJECT_OPERATIONS if key else BUCKET_OPERATIONS).get((request.method, subresource))
        if operation is None:
            where = "object" if key else "bucket"
            what = f"{request.method} ?{subresource}" if subresource else request.method
            raise S3Error("NotImplemented", 400, f"{what} on a{'n' if key else ''} {where} is not supported here")
        return operation(call)


def _address(request: Request) -> tuple[str, str]:
    """Bucket and key, either possibly empty."""
    raw_path = request.environ["RAW_URI"].partition("?")[0]
    if "://" in raw_path:  # a proxy's request names the host in its target
        raw_path = "/" + raw_path.split("/", 3)[3]
    try:
        path = unquote_to_bytes(raw_path.encode("latin-1")).decode("utf-8").removeprefix("/")
    except UnicodeDecodeError as error:
        raise S3Error("InvalidURI", 400, "the key is not valid UTF-8") from error
    host = request.host.rpartition(":")[0] or request.host
    if match := SERVICE_HOST.fullmatch(host):
        if match[1]:
            return match[1], path
    elif host.endswith(".localhost"):
        return host.removesuffix(".localhost"), path
    bucket, _, key = path.partition("/")
    return bucket, key


def _error_response(error: S3Error) -> Response:
    content = {"Code": error.code, "Message": error.message, "RequestId": "local"}
    return Response(document("Error", content), status=error.status, content_type="application/xml")
