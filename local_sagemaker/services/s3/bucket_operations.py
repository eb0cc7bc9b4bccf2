"""Operations on buckets: create, describe and delete them, delete many objects at once."""

from collections.abc import Callable

from werkzeug.wrappers import Response

from local_sagemaker.account import REGION
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.conditions import delete_condition
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.listing_operations import MAX_KEYS, OWNER, read_token, write_token
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.versions import DELETE_MARKER, VERSION_ID, check_version_id, delete
from local_sagemaker.services.s3.xml import xml_response
from local_sagemaker.storage.objects import BadName

MAX_BUCKETS = 10_000


def list_buckets(request: S3Request) -> Response:
    arguments = request.http.args
    prefix, limit = arguments.get("prefix", ""), request.number("max-buckets", MAX_BUCKETS, MAX_BUCKETS)
    if limit == 0:
        raise S3Error("InvalidArgument", 400, f"max-buckets must be from 1 to {MAX_BUCKETS}")
    after = read_token(token) if (token := arguments.get("continuation-token")) else ""
    found = [
        {"Name": name, "CreationDate": iso_milliseconds(created), "BucketRegion": REGION}
        for name, created in request.objects.buckets()
        if name.startswith(prefix) and name > after and arguments.get("bucket-region", REGION) == REGION
    ]
    content = {
        "Owner": OWNER,
        "Buckets": {"Bucket": found[:limit]},
        "ContinuationToken": write_token(str(found[limit - 1]["Name"])) if len(found) > limit else None,
        "Prefix": prefix or None,
    }
    return xml_response("ListAllMyBucketsResult", content)


def create_bucket(request: S3Request) -> Response:
    region = request.document.get("LocationConstraint", REGION)
    if region != REGION:
        raise S3Error(
            "IllegalLocationConstraintException",
            400,
            f"The {region} location constraint is incompatible for the region specific endpoint this request was sent "
            "to.",
        )
    try:
        request.objects.create_bucket(request.bucket)
    except BadName as error:
        raise S3Error("InvalidBucketName", 400, str(error)) from error
    if ownership := request.http.headers.get("x-amz-object-ownership"):
        controls = {"Rules": [{"ObjectOwnership": ownership}]}
        request.objects.settings.put(request.bucket, "BucketOwnershipControls", controls)
    if tags := request.document.get("Tags"):
        request.objects.settings.put(request.bucket, "BucketTagging", {"TagSet": tags})
    return Response(headers={"Location": f"/{request.bucket}"})


def head_bucket(request: S3Request) -> Response:
    request.require_bucket()
    return Response(headers={"x-amz-bucket-region": REGION})


def delete_bucket(request: S3Request) -> Response:
    if not request.objects.delete_bucket(request.bucket):
        message = "The bucket you tried to delete is not empty"
        if request.objects.versioning(request.bucket) is not None:
            message += ". You must delete all versions in the bucket."
        raise S3Error("BucketNotEmpty", 409, message, BucketName=request.bucket)
    request.uploads.abort_all(request.bucket)
    return Response(status=204)


def get_bucket_location(request: S3Request) -> Response:
    request.require_bucket()
    # an empty constraint means us-east-1
    return xml_response("LocationConstraint", {})


def delete_objects(request: S3Request) -> Response:
    request.require_bucket()
    wanted = request.document.get("Objects", [])
    if not 1 <= len(wanted) <= MAX_KEYS or not all(one.get("Key") for one in wanted):
        raise S3Error("MalformedXML", 400, f"Delete takes 1 to {MAX_KEYS} keys")
    deleted, errors = [], []
    for one in wanted:
        named = {"Key": one["Key"], "VersionId": one.get("VersionId")}
        try:
            size = str(one["Size"]) if "Size" in one else None
            condition = delete_condition(one.get("ETag"), one.get("LastModifiedTime"), size)
            version_id = check_version_id(one.get("VersionId"))
            headers = delete(request.objects, request.bucket, one["Key"], version_id, condition)
            marker = {"DeleteMarker": True, "DeleteMarkerVersionId": headers.get(VERSION_ID)}
            deleted.append({**named, **(marker if DELETE_MARKER in headers else {})})
        except S3Error as error:
            errors.append({**named, "Code": error.code, "Message": error.message})
        except BadName as error:
            errors.append({**named, "Code": "InvalidArgument", "Message": str(error)})
    quiet = request.document.get("Quiet", False)
    return xml_response("DeleteResult", {"Deleted": [] if quiet else deleted, "Error": errors})


OPERATIONS: dict[str, Callable[[S3Request], Response]] = {
    "ListBuckets": list_buckets,
    "CreateBucket": create_bucket,
    "HeadBucket": head_bucket,
    "DeleteBucket": delete_bucket,
    "GetBucketLocation": get_bucket_location,
    "DeleteObjects": delete_objects,
}
