"""Operations on buckets: create, look up, list their objects, delete many at once."""

import base64
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import quote

from werkzeug.wrappers import Response

from local_sagemaker.account import ACCOUNT, REGION
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import read_body
from local_sagemaker.services.s3.call import Call
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.xml import document, read_document
from local_sagemaker.storage.objects import BadName, ObjectInfo

MOST_KEYS = 1000
OWNER = {"ID": ACCOUNT, "DisplayName": "local"}


def list_buckets(call: Call) -> Response:
    buckets = [
        {"Name": name, "CreationDate": iso_milliseconds(created)}
        for name, created in call.objects.buckets()
        if name.startswith(call.request.args.get("prefix", ""))
    ]
    return _xml("ListAllMyBucketsResult", {"Owner": OWNER, "Buckets": {"Bucket": buckets}})


def create_bucket(call: Call) -> Response:
    try:
        call.objects.create_bucket(call.bucket)
    except BadName as error:
        raise S3Error("InvalidBucketName", 400, str(error)) from error
    return Response(headers={"Location": f"/{call.bucket}"})


def head_bucket(call: Call) -> Response:
    _require_bucket(call)
    return Response(headers={"x-amz-bucket-region": REGION})


def delete_bucket(call: Call) -> Response:
    if not call.objects.delete_bucket(call.bucket):
        raise S3Error("BucketNotEmpty", 409, f"the bucket {call.bucket} is not empty")
    return Response(status=204)


def get_bucket_location(call: Call) -> Response:
    _require_bucket(call)
    # us-east-1 is written as no constraint at all
    return _xml("LocationConstraint", {})


def get_bucket_versioning(call: Call) -> Response:
    _require_bucket(call)
    return _xml("VersioningConfiguration", {})


def no_configuration(code: str, call: Call) -> Response:
    _require_bucket(call)
    raise S3Error(code, 404, f"the bucket {call.bucket} has none")


def list_objects(call: Call) -> Response:
    """ListObjects, and with `list-type=2` ListObjectsV2."""
    arguments = call.request.args
    second = arguments.get("list-type") == "2"
    prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
    most = call.number("max-keys", MOST_KEYS, MOST_KEYS)
    token = arguments.get("continuation-token")
    if second:
        after = _read_token(token) if token else arguments.get("start-after", "")
    else:
        after = arguments.get("marker", "")
    url = arguments.get("encoding-type") == "url"
    encoded = partial(quote, safe="/") if url else str

    keys: list[dict[str, object]] = []
    prefixes: list[dict[str, object]] = []
    last, truncated = "", False
    for entry in call.objects.entries(call.bucket, prefix, delimiter, after):
        if len(keys) + len(prefixes) == most:
            truncated = most > 0
            break
        last = entry
        if delimiter and delimiter in entry[len(prefix) :]:
            prefixes.append({"Prefix": encoded(entry)})
        elif info := _info(call, entry):
            keys.append(_summary(encoded(entry), info))

    common = {
        "Name": call.bucket,
        "Prefix": encoded(prefix),
        "Delimiter": encoded(delimiter) if delimiter else None,
        "MaxKeys": most,
        "EncodingType": "url" if url else None,
        "IsTruncated": truncated,
        "Contents": keys,
        "CommonPrefixes": prefixes,
    }
    if second:
        paging = {
            "KeyCount": len(keys) + len(prefixes),
            "ContinuationToken": token,
            "NextContinuationToken": _token(last) if truncated else None,
            "StartAfter": encoded(arguments["start-after"]) if "start-after" in arguments else None,
        }
    else:
        paging = {"Marker": encoded(after), "NextMarker": encoded(last) if truncated else None}
    return _xml("ListBucketResult", {**common, **paging})


def delete_objects(call: Call) -> Response:
    _require_bucket(call)
    request = read_document(read_body(call.request))
    keys = [element.findtext("Key") for element in request.findall("Object")]
    if not 1 <= len(keys) <= MOST_KEYS or None in keys:
        raise S3Error("MalformedXML", 400, f"a Delete names 1 to {MOST_KEYS} keys")
    deleted, errors = [], []
    for key in filter(None, keys):
        try:
            call.objects.delete(call.bucket, key)
            deleted.append({"Key": key})
        except BadName as error:
            errors.append({"Key": key, "Code": "InvalidArgument", "Message": str(error)})
    quiet = request.findtext("Quiet") == "true"
    return _xml("DeleteResult", {"Deleted": [] if quiet else deleted, "Error": errors})


def _summary(key: str, info: ObjectInfo) -> dict[str, object]:
    return {
        "Key": key,
        "LastModified": iso_milliseconds(info.modified),
        "ETag": f'"{info.etag}"',
        "Size": info.size,
        "StorageClass": "STANDARD",
    }


def _info(call: Call, key: str) -> ObjectInfo | None:
    try:
        return call.objects.info(call.bucket, key)
    except KeyError:  # deleted since it was listed
        return None


def _require_bucket(call: Call) -> None:
    if not call.objects.has_bucket(call.bucket):
        raise S3Error("NoSuchBucket", 404, f"there is no bucket {call.bucket!r}")


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _read_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError as error:
        raise S3Error("InvalidArgument", 400, "the continuation token is not one that a response held") from error


def _xml(name: str, content: Mapping[str, object]) -> Response:
    return Response(document(name, content), content_type="application/xml")


OPERATIONS: dict[tuple[str, str], Callable[[Call], Response]] = {
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
