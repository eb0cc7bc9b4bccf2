"""Operations on buckets: create, describe and delete them, list their objects, delete many objects at once."""

import base64
from collections.abc import Callable
from functools import partial
from urllib.parse import quote

from werkzeug.wrappers import Response

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import read_body
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.xml import read_document, xml_response
from local_sagemaker.storage.objects import BadName, ObjectInfo

MAX_KEYS = 1000
OWNER = {"ID": ACCOUNT, "DisplayName": "local"}


def list_buckets(request: S3Request) -> Response:
    buckets = [
        {"Name": name, "CreationDate": iso_milliseconds(created)}
        for name, created in request.objects.buckets()
        if name.startswith(request.http.args.get("prefix", ""))
    ]
    return xml_response("ListAllMyBucketsResult", {"Owner": OWNER, "Buckets": {"Bucket": buckets}})


def create_bucket(request: S3Request) -> Response:
    try:
        request.objects.create_bucket(request.bucket)
    except BadName as error:
        raise S3Error("InvalidBucketName", 400, str(error)) from error
    return Response(headers={"Location": f"/{request.bucket}"})


def head_bucket(request: S3Request) -> Response:
    request.require_bucket()
    return Response(headers={"x-amz-bucket-region": REGION})


def delete_bucket(request: S3Request) -> Response:
    if not request.objects.delete_bucket(request.bucket):
        raise S3Error("BucketNotEmpty", 409, f"the bucket {request.bucket} is not empty")
    return Response(status=204)


def get_bucket_location(request: S3Request) -> Response:
    request.require_bucket()
    # an empty constraint means us-east-1
    return xml_response("LocationConstraint", {})


def get_bucket_versioning(request: S3Request) -> Response:
    request.require_bucket()
    return xml_response("VersioningConfiguration", {})


def no_configuration(code: str, request: S3Request) -> Response:
    request.require_bucket()
    raise S3Error(code, 404, f"the bucket {request.bucket} has no such configuration")


def list_objects(request: S3Request) -> Response:
    """Answer ListObjects or, with `list-type=2`, ListObjectsV2."""
    arguments = request.http.args
    is_v2 = arguments.get("list-type") == "2"
    prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
    max_keys = request.number("max-keys", MAX_KEYS, MAX_KEYS)
    token = arguments.get("continuation-token")
    if is_v2:
        after = _read_token(token) if token else arguments.get("start-after", "")
    else:
        after = arguments.get("marker", "")
    url = arguments.get("encoding-type") == "url"
    encoded = partial(quote, safe="/") if url else str

    keys: list[dict[str, object]] = []
    prefixes: list[dict[str, object]] = []
    last, truncated = "", False
    for entry in request.objects.entries(request.bucket, prefix, delimiter, after):
        if len(keys) + len(prefixes) == max_keys:
            truncated = max_keys > 0
            break
        last = entry
        if delimiter and delimiter in entry[len(prefix) :]:
            prefixes.append({"Prefix": encoded(entry)})
        elif info := _info(request, entry):
            keys.append(_summary(encoded(entry), info))

    common = {
        "Name": request.bucket,
        "Prefix": encoded(prefix),
        "Delimiter": encoded(delimiter) if delimiter else None,
        "MaxKeys": max_keys,
        "EncodingType": "url" if url else None,
        "IsTruncated": truncated,
        "Contents": keys,
        "CommonPrefixes": prefixes,
    }
    if is_v2:
        paging = {
            "KeyCount": len(keys) + len(prefixes),
            "ContinuationToken": token,
            "NextContinuationToken": _token(last) if truncated else None,
            "StartAfter": encoded(arguments["start-after"]) if "start-after" in arguments else None,
        }
    else:
        paging = {"Marker": encoded(after), "NextMarker": encoded(last) if truncated else None}
    return xml_response("ListBucketResult", {**common, **paging})


def delete_objects(request: S3Request) -> Response:
    request.require_bucket()
    root = read_document(read_body(request.http))
    keys = [element.findtext("Key") for element in root.findall("Object")]
    if not 1 <= len(keys) <= MAX_KEYS or None in keys:
        raise S3Error("MalformedXML", 400, f"Delete takes 1 to {MAX_KEYS} keys")
    deleted, errors = [], []
    for key in filter(None, keys):
        try:
            request.objects.delete(request.bucket, key)
            deleted.append({"Key": key})
        except BadName as error:
            errors.append({"Key": key, "Code": "InvalidArgument", "Message": str(error)})
    quiet = root.findtext("Quiet") == "true"
    return xml_response("DeleteResult", {"Deleted": [] if quiet else deleted, "Error": errors})


def _summary(key: str, info: ObjectInfo) -> dict[str, object]:
    return {
        "Key": key,
        "LastModified": iso_milliseconds(info.modified),
        "ETag": f'"{info.etag}"',
        "Size": info.size,
        "StorageClass": "STANDARD",
    }


def _info(request: S3Request, key: str) -> ObjectInfo | None:
    try:
        return request.objects.info(request.bucket, key)
    except KeyError:
        # deleted since it was listed
        return None


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError as error:
        raise S3Error("InvalidArgument", 400, "the continuation token is not valid") from error


OPERATIONS: dict[tuple[str, str], Callable[[S3Request], Response]] = {
    ("PUT", ""): create_bucket,
    ("HEAD", ""): head_bucket,
    ("DELETE", ""): delete_bucket,
    ("GET", ""): list_objects,
    ("GET", "location"): get_bucket_location,
    ("GET", "versioning"): get_bucket_versioning,
    ("POST", "delete"): delete_objects,
    **{
        ("GET", subresource): partial(no_configuration, code)
        for subresource, code in {
            "cors": "NoSuchCORSConfiguration",
            "encryption": "ServerSideEncryptionConfigurationNotFoundError",
            "lifecycle": "NoSuchLifecycleConfiguration",
            "policy": "NoSuchBucketPolicy",
            "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
            "tagging": "NoSuchTagSet",
        }.items()
    },
}
