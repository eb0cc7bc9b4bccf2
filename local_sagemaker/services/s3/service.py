"""S3's REST API on top of `ObjectStore`: the buckets and objects of one data directory.

Requests are addressed in path style (`/bucket/key`) or virtual-hosted style (`bucket.localhost`). Bodies are streamed
in both directions. There is no versioning and no access control, and signatures are not verified: the server is only
reachable from this machine.
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
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.uploads import Uploads
from local_sagemaker.services.s3.xml import xml_response
from local_sagemaker.storage.objects import BadName, NoSuchBucket, NoSuchKey, ObjectStore

log = logging.getLogger(__name__)

Operation = Callable[[S3Request], Response]

# by method and subresource, the query parameter that selects another operation
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
        """Answer a request; errors are answered with S3's XML document and status."""
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
            response = _error_response(S3Error("IncompleteBody", 400, "the body is shorter than its Content-Length"))
        except OSError as error:
            log.error("%s %s: %s", request.method, request.path, error)
            response = _error_response(S3Error(*refusal_by_disk(error)))
        if request.method == "HEAD" and response.status_code >= 400:
            response.set_data(b"")
        return response

    def _respond(self, request: Request) -> Response:
        bucket, key = _address(request)
        s3_request = S3Request(request, bucket, key, self._objects, self._uploads)
        owner = request.headers.get("x-amz-expected-bucket-owner", ACCOUNT)
        if owner != ACCOUNT:
            raise S3Error("AccessDenied", 403, f"the buckets belong to account {ACCOUNT}, not to {owner}")
        subresource = next((name for name in request.args if name in SUBRESOURCES), "")
        if not bucket:
            if request.method == "GET":
                return bucket_operations.list_buckets(s3_request)
            operation = None
        else:
            operation = (OBJECT_OPERATIONS if key else BUCKET_OPERATIONS).get((request.method, subresource))
        if operation is None:
            target = "an object" if key else "a bucket"
            method = f"{request.method} ?{subresource}" if subresource else request.method
            raise S3Error("NotImplemented", 400, f"{method} on {target} is not supported by the local S3")
        return operation(s3_request)


def _address(request: Request) -> tuple[str, str]:
    """Return bucket and key, either possibly empty."""
    raw_path = request.environ["RAW_URI"].partition("?")[0]
    # a request to a proxy has the host in its target
    if "://" in raw_path:
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
    return xml_response("Error", content, error.status)
