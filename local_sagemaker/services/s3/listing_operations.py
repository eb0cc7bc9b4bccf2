"""Listings of objects: ListObjects and ListObjectsV2."""

import base64
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

from werkzeug.wrappers import Response

from local_sagemaker.account import ACCOUNT
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.xml import xml_response
from local_sagemaker.storage.objects import ListedObject

MAX_KEYS = 1000
OWNER = {"ID": ACCOUNT, "DisplayName": "local"}


def list_objects(request: S3Request) -> Response:
    marker = request.http.args.get("marker", "")
    content, last = _page(request, marker, owner=True)
    encode = encoding(request)
    return xml_response(
        "ListBucketResult", {**content, "Marker": encode(marker), "NextMarker": encode(last) if last else None}
    )


def list_objects_v2(request: S3Request) -> Response:
    arguments = request.http.args
    token, start_after = arguments.get("continuation-token"), arguments.get("start-after", "")
    content, last = _page(
        request,
        read_token(token) if token else start_after,
        owner=arguments.get("fetch-owner", "").lower() == "true",
    )
    paging = {
        "KeyCount": len(content["Contents"]) + len(content["CommonPrefixes"]),
        "ContinuationToken": token,
        "NextContinuationToken": write_token(last) if last else None,
        "StartAfter": encoding(request)(start_after) if "start-after" in arguments else None,
    }
    return xml_response("ListBucketResult", {**content, **paging})


def encoding(request: S3Request) -> Callable[[str], str]:
    """Return how the response writes keys and prefixes. Raises S3Error."""
    name = request.http.args.get("encoding-type", "")
    if name not in ("", "url"):
        raise S3Error("InvalidArgument", 400, "Invalid Encoding Method specified in Request")
    return partial(quote, safe="/") if name else str


def write_token(last: str) -> str:
    """Return the continuation token of a page that ends with this key or name."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_token(token: str) -> str:
    """Return what a page begins after. Raises S3Error."""
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError as error:
        raise S3Error("InvalidArgument", 400, "The continuation token provided is incorrect") from error


def _page(request: S3Request, after: str, owner: bool) -> tuple[dict[str, Any], str]:
    """Return what the responses of both versions have in common, and the last entry if there are more."""
    arguments = request.http.args
    prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
    max_keys = request.number("max-keys", MAX_KEYS, MAX_KEYS)
    encode = encoding(request)
    entries, last = request.objects.page(request.bucket, prefix, delimiter, after, max_keys)
    content = {
        "Name": request.bucket,
        "Prefix": encode(prefix),
        "Delimiter": encode(delimiter) if delimiter else None,
        "MaxKeys": max_keys,
        "EncodingType": arguments.get("encoding-type") or None,
        "IsTruncated": bool(last),
        "Contents": list(_summaries(entries, encode, {"Owner": OWNER} if owner else {})),
        "CommonPrefixes": [{"Prefix": encode(entry)} for entry in entries if isinstance(entry, str)],
    }
    return content, last


def _summaries(
    entries: Iterable[str | ListedObject], encode: Callable[[str], str], more: dict[str, object]
) -> Iterator[dict[str, object]]:
    for entry in entries:
        if isinstance(entry, ListedObject):
            yield {
                "Key": encode(entry.key),
                "LastModified": iso_milliseconds(entry.modified),
                "ETag": f'"{entry.etag}"',
                "Size": entry.size,
                "StorageClass": "STANDARD",
                **more,
            }


OPERATIONS = {"ListObjects": list_objects, "ListObjectsV2": list_objects_v2}
