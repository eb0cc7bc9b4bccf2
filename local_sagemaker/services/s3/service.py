"""S3's REST API on top of `ObjectStore`: the buckets and objects of one data directory.

Requests are addressed in path style (`/bucket/key`) or virtual-hosted style (`bucket.localhost`). Bodies are streamed
in both directions. There is no access control, and signatures are not verified: the server is only reachable from this
machine.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable
from typing import Any

from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ACCOUNT
from local_sagemaker.data_dir import DataDir
from local_sagemaker.protocol.errors import ServiceError, refusal_by_disk
from local_sagemaker.protocol.rest_json import head_members
from local_sagemaker.protocol.shapes import operation_model
from local_sagemaker.services.s3 import (
    acl_operations,
    attribute_operations,
    bucket_operations,
    bucket_settings,
    listing_operations,
    object_operations,
    upload_operations,
    version_operations,
)
from local_sagemaker.services.s3.bodies import read_body
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.options import OPTIONS
from local_sagemaker.services.s3.routing import address, find_operation
from local_sagemaker.services.s3.s3_request import CheckNotifications, S3Request
from local_sagemaker.services.s3.uploads import Uploads
from local_sagemaker.services.s3.versions import latest_marker_headers, no_such_version
from local_sagemaker.services.s3.xml import document_members, read_document, xml_response
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.object_info import IsDeleteMarker, NoSuchVersion
from local_sagemaker.storage.object_keys import LONGEST_KEY, KeyTooLong
from local_sagemaker.storage.objects import BadName, NoSuchBucket, NoSuchKey, ObjectStore

log = logging.getLogger(__name__)

OPERATIONS: dict[str, Callable[[S3Request], Response]] = {
    **bucket_operations.OPERATIONS,
    **bucket_settings.OPERATIONS,
    **acl_operations.OPERATIONS,
    **listing_operations.OPERATIONS,
    **object_operations.OPERATIONS,
    **attribute_operations.OPERATIONS,
    **upload_operations.OPERATIONS,
    **version_operations.OPERATIONS,
}


# query parameters of a presigned URL that are its signature
SIGNATURE = frozenset(
    {
        *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token"),
        *("x-amz-signature", "x-amz-signedheaders", "x-amz-user-agent"),
    }
)


class S3Service:
    """Answers S3's operations for the objects of one data directory."""

    def __init__(
        self,
        objects: ObjectStore,
        data_dir: DataDir,
        database: Database,
        check_notifications: CheckNotifications = lambda *_: None,
    ) -> None:
        """Prepare to answer requests.

        Args:
            objects: The objects.
            data_dir: Where parts of uploads are kept.
            database: Where uploads are kept.
            check_notifications: Checks the destinations of a bucket's notification configuration.
        """
        self._objects = objects
        self._check_notifications = check_notifications
        self._uploads = Uploads(data_dir.uploads, objects, database)

    def respond(self, request: Request) -> Response:
        """Answer a request; errors are answered with S3's XML document and status."""
        request_id, host_id = secrets.token_hex(8).upper(), base64.b64encode(secrets.token_bytes(56)).decode()
        try:
            response = self._respond(request)
        except S3Error as error:
            content = {"Code": error.code, "Message": error.message, **error.elements}
            content |= {"Resource": request.path, "RequestId": request_id, "HostId": host_id}
            response = xml_response("Error", content, error.status)
            response.headers.update(error.headers)
        if request.method == "HEAD" and response.status_code >= 400:
            response.set_data(b"")
        response.headers.update({"x-amz-request-id": request_id, "x-amz-id-2": host_id})
        return response

    def _respond(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except NoSuchBucket as error:
            message = "The specified bucket does not exist"
            raise S3Error("NoSuchBucket", 404, message, BucketName=str(error.args[0])) from error
        except (NoSuchVersion, IsDeleteMarker) as error:
            raise no_such_version(error) from error
        except NoSuchKey as error:
            headers = latest_marker_headers(self._objects, error)
            message = "The specified key does not exist."
            raise S3Error("NoSuchKey", 404, message, headers=headers, Key=error.key) from error
        except KeyTooLong as error:
            size, most = str(error.size), str(LONGEST_KEY)
            raise S3Error("KeyTooLongError", 400, "Your key is too long", Size=size, MaxSizeAllowed=most) from error
        except BadName as error:
            raise S3Error("InvalidArgument", 400, str(error)) from error
        except ServiceError as error:
            # a header or a query parameter that cannot be read
            raise S3Error("InvalidArgument", 400, error.message) from error
        except (ClientDisconnected, TimeoutError) as error:
            raise S3Error("IncompleteBody", 400, "the body is shorter than its Content-Length") from error
        except OSError as error:
            log.error("%s %s: %s", request.method, request.path, error)
            raise S3Error(*refusal_by_disk(error)) from error

    def _answer(self, request: Request) -> Response:
        _read_headers_in_query(request)
        bucket, key = address(request)
        operation = find_operation(request, bucket, key, OPERATIONS)
        owner = request.headers.get("x-amz-expected-bucket-owner", ACCOUNT)
        if owner != ACCOUNT:
            raise S3Error("AccessDenied", 403, f"the buckets belong to account {ACCOUNT}, not to {owner[:100]}")
        payload, document = _document(operation, request)
        members = {**_head_members(operation, request), **({payload: document} if payload else {})}
        if refusal := OPTIONS.refusal(operation, members):
            raise S3Error("NotImplemented", 501, refusal)
        return OPERATIONS[operation](
            S3Request(request, bucket, key, self._objects, self._uploads, document, self._check_notifications)
        )


def _read_headers_in_query(request: Request) -> None:
    """Take query parameters for the headers that they stand for in the presigned URLs of some SDKs."""
    for name, value in request.args.items():
        if name.lower().startswith("x-amz-") and name.lower() not in SIGNATURE and name not in request.headers:
            request.headers[name] = value


def _head_members(operation: str, request: Request) -> dict[str, Any]:
    shape = operation_model("s3", operation).input_shape
    return head_members(shape, request) if shape else {}


def _document(operation: str, request: Request) -> tuple[str, Any]:
    """Return name and members of the document in a request's body; empty if the operation takes none.

    A policy, which is JSON, is a text.
    """
    shape = operation_model("s3", operation).input_shape
    payload = shape.serialization.get("payload", "") if shape else ""
    has_body = request.content_length is not None or "transfer-encoding" in request.headers
    if not payload or shape.members[payload].type_name not in ("structure", "string") or not has_body:
        return "", {}
    # the checksums in the head of CompleteMultipartUpload are those of the object
    body = read_body(request, checksums=operation != "CompleteMultipartUpload")
    if shape.members[payload].type_name == "string":
        return payload, body.decode("utf-8", "replace")
    return payload, document_members(shape.members[payload], read_document(body)) if body else {}
