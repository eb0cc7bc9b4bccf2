"""Access control lists. A bucket's owner enforces its ownership, as by default on AWS, so that there is one list."""

from collections.abc import Callable

from werkzeug.wrappers import Response

from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.listing_operations import OWNER
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.xml import xml_response

OWNERS_LISTS = ("private", "bucket-owner-full-control")
GRANTEE = 'Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
FULL_CONTROL = {"Owner": OWNER, "AccessControlList": {"Grant": [{GRANTEE: OWNER, "Permission": "FULL_CONTROL"}]}}


def get_bucket_acl(request: S3Request) -> Response:
    request.require_bucket()
    return xml_response("AccessControlPolicy", FULL_CONTROL)


def put_bucket_acl(request: S3Request) -> Response:
    request.require_bucket()
    _check_full_control(request)
    return Response()


def get_object_acl(request: S3Request) -> Response:
    request.objects.info(request.bucket, request.key, request.version_id)
    return xml_response("AccessControlPolicy", FULL_CONTROL)


def put_object_acl(request: S3Request) -> Response:
    request.objects.info(request.bucket, request.key, request.version_id)
    _check_full_control(request)
    return Response()


def _check_full_control(request: S3Request) -> None:
    """Raise S3Error (AccessControlListNotSupported) unless the list gives full control to the owner alone."""
    canned = request.http.headers.get("x-amz-acl")
    grants = request.document.get("Grants", [])
    others = [
        grant
        for grant in grants
        if (grant.get("Grantee", {}).get("ID"), grant.get("Permission")) != (OWNER["ID"], "FULL_CONTROL")
    ]
    has_grant_header = any(name.lower().startswith("x-amz-grant-") for name, _ in request.http.headers)
    if not (request.document or canned or has_grant_header):
        raise S3Error("MissingSecurityHeader", 400, "Your request was missing a required header")
    if others or has_grant_header or (canned is not None and canned not in OWNERS_LISTS):
        message = "The bucket does not allow ACLs; grant access by a bucket policy"
        raise S3Error("AccessControlListNotSupported", 400, message)


OPERATIONS: dict[str, Callable[[S3Request], Response]] = {
    "GetBucketAcl": get_bucket_acl,
    "PutBucketAcl": put_bucket_acl,
    "GetObjectAcl": get_object_acl,
    "PutObjectAcl": put_object_acl,
}
