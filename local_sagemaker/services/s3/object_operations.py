"""Operations on single objects: put, get, copy, delete."""

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote

from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from local_sagemaker.account import ACCOUNT
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import receive_body
from local_sagemaker.services.s3.checksums import CHECKSUM_HEADER, checksum_of_file
from local_sagemaker.services.s3.conditions import check_copy_source, delete_condition, is_modified, write_condition
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.tags import check_tags
from local_sagemaker.services.s3.versions import VERSION_ID, check_version_id, delete, version_headers
from local_sagemaker.services.s3.xml import xml_response
from local_sagemaker.storage.files import PIECE, copy_with_md5
from local_sagemaker.storage.object_info import Metadata
from local_sagemaker.storage.objects import ObjectInfo

MAX_PARTS = 10_000
MAX_TAGS = 10
# stored with an object and returned with it
KEPT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
# stored, and returned by the operations that write an object, too
ENCRYPTION_HEADERS = ("x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id")
# `key=value&key=value`; empty if there are no tags
TAGS_HEADER = "x-amz-tagging"
DEFAULT_TYPE = "binary/octet-stream"


def put_object(request: S3Request) -> Response:
    request.require_bucket()
    condition = write_condition(request.http, request.bucket, request.key)
    kept = kept_headers(request.http)
    temporary = request.objects.temporary_path()
    try:
        body = receive_body(request.http, temporary)
        metadata = Metadata(body.md5, kept | body.checksums)
        info = request.objects.put_temporary(request.bucket, request.key, temporary, metadata, condition)
    finally:
        temporary.unlink(missing_ok=True)
    return Response(
        headers={
            "ETag": f'"{info.etag}"',
            **body.checksums,
            **encryption_headers(kept),
            **version_headers(request.objects, request.bucket, info),
        }
    )


def get_object(request: S3Request) -> Response:
    file, info = request.objects.open(request.bucket, request.key, request.version_id)
    try:
        response, start, length = _describe(request, info)
        if response.status_code == 304:
            file.close()
            return response
        response.response = _pieces(file, start, length)
        response.call_on_close(file.close)
        return response
    except BaseException:
        file.close()
        raise


def head_object(request: S3Request) -> Response:
    response, _, _ = _describe(request, request.objects.info(request.bucket, request.key, request.version_id))
    return response


def delete_object(request: S3Request) -> Response:
    headers = request.http.headers
    condition = delete_condition(
        headers.get("If-Match"), headers.get("x-amz-if-match-last-modified-time"), headers.get("x-amz-if-match-size")
    )
    deleted = delete(request.objects, request.bucket, request.key, request.version_id, condition)
    return Response(status=204, headers=deleted)


def copy_object(request: S3Request) -> Response:
    """Answer CopyObject: metadata and tags are the source's, unless their directives are REPLACE."""
    request.require_bucket()
    condition = write_condition(request.http, request.bucket, request.key)
    temporary = request.objects.temporary_path()
    try:
        file, source = open_copy_source(request)
        with file:
            headers = _headers_of_copy(request, source)
            md5 = copy_with_md5(file, temporary, source.size)
        if algorithm := request.http.headers.get("x-amz-checksum-algorithm"):
            name = f"x-amz-checksum-{algorithm.lower()}"
            headers = {key: value for key, value in headers.items() if not CHECKSUM_HEADER.fullmatch(key)}
            headers[name] = checksum_of_file(name, temporary)
        info = request.objects.put_temporary(
            request.bucket, request.key, temporary, Metadata(md5, headers), condition, "ObjectCreated:Copy"
        )
    finally:
        temporary.unlink(missing_ok=True)
    content = {"LastModified": iso_milliseconds(info.modified), "ETag": f'"{info.etag}"'}
    response = xml_response("CopyObjectResult", content)
    response.headers.update(encryption_headers(headers))
    response.headers.update(version_headers(request.objects, request.bucket, info))
    source_bucket = _copy_source(request)[0]
    if (version_id := version_headers(request.objects, source_bucket, source).get(VERSION_ID)) is not None:
        response.headers["x-amz-copy-source-version-id"] = version_id
    return response


def kept_headers(request: Request) -> dict[str, str]:
    """Return the headers of a request that are stored with the object, in lower case. Raises S3Error (InvalidTag)."""
    kept = {}
    for name, value in request.headers.items():
        name = name.lower()
        if name in (*KEPT_HEADERS, *ENCRYPTION_HEADERS, TAGS_HEADER) or name.startswith("x-amz-meta-"):
            kept[name] = value
    encodings = [coding for part in kept.get("content-encoding", "").split(",") if (coding := part.strip())]
    kept["content-encoding"] = ",".join(coding for coding in encodings if coding != "aws-chunked")
    check_tags(parse_qsl(kept.get(TAGS_HEADER, ""), keep_blank_values=True), MAX_TAGS)
    return {name: value for name, value in kept.items() if value}


def encryption_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those of an object's headers that the operation that writes it returns."""
    return {name: headers[name] for name in ENCRYPTION_HEADERS if name in headers}


def open_copy_source(request: S3Request) -> tuple[BinaryIO, ObjectInfo]:
    """Open the object that the header x-amz-copy-source names, if the x-amz-copy-source-if-* conditions hold.

    Raises:
        S3Error: A condition does not hold.
        NoSuchBucket: The source bucket does not exist.
        NoSuchKey: The source object does not exist.
    """
    owner = request.http.headers.get("x-amz-source-expected-bucket-owner", ACCOUNT)
    if owner != ACCOUNT:
        raise S3Error("AccessDenied", 403, f"the buckets belong to account {ACCOUNT}, not to {owner[:100]}")
    file, info = request.objects.open(*_copy_source(request))
    try:
        check_copy_source(request.http, info)
    except BaseException:
        file.close()
        raise
    return file, info


def _copy_source(request: S3Request) -> tuple[str, str, str | None]:
    """Return bucket, key and version id of the header x-amz-copy-source."""
    source, _, query = request.http.headers["x-amz-copy-source"].partition("?")
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    version_id = check_version_id(parameters.pop("versionId", None))
    if parameters:
        raise S3Error("NotImplemented", 501, f"the local S3 does not implement the copy source's {query[:100]}")
    bucket, _, key = unquote(source).removeprefix("/").partition("/")
    return bucket, key, version_id


def _headers_of_copy(request: S3Request, source: ObjectInfo) -> dict[str, str]:
    new, old = kept_headers(request.http), source.headers
    metadata, tags = _directive(request, "metadata"), _directive(request, "tagging")
    encryption = encryption_headers(new)
    if metadata == "COPY" and not encryption and _copy_source(request) == (request.bucket, request.key, None):
        raise S3Error(
            "InvalidRequest",
            400,
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )
    checksums = {name: value for name, value in old.items() if CHECKSUM_HEADER.fullmatch(name)}
    kept = {
        **(old if metadata == "COPY" else {**checksums, **new}),
        TAGS_HEADER: (old if tags == "COPY" else new).get(TAGS_HEADER, ""),
    }
    return {name: value for name, value in kept.items() if name not in ENCRYPTION_HEADERS} | encryption


def _directive(request: S3Request, of: str) -> str:
    directive = request.http.headers.get(f"x-amz-{of}-directive", "COPY")
    if directive not in ("COPY", "REPLACE"):
        raise S3Error("InvalidArgument", 400, f"Unknown {of} directive.")
    return directive


def _describe(request: S3Request, info: ObjectInfo) -> tuple[Response, int, int]:
    """Return the response without its body, and start and length of the bytes in it.

    Its status is 304 if the object was not modified, 206 for a part of it.

    Raises:
        S3Error: A condition of the request does not hold (412), or the range is outside the object (416).
    """
    response = Response(content_type=None)
    response.headers.update({"ETag": f'"{info.etag}"', "Last-Modified": http_date(info.modified)})
    response.headers.update(version_headers(request.objects, request.bucket, info))
    if not is_modified(request.http, info):
        response.status_code = 304
        return response, 0, 0
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Type"] = DEFAULT_TYPE
    byte_range = _range(request, info)
    with_checksums = request.http.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED" and byte_range is None
    for name, value in info.headers.items():
        if name == TAGS_HEADER:
            if value:
                response.headers["x-amz-tagging-count"] = str(len(parse_qsl(value, keep_blank_values=True)))
        # of the whole object, not of a range
        elif with_checksums or not CHECKSUM_HEADER.fullmatch(name):
            response.headers[name] = value
    if "partNumber" in request.http.args and info.metadata.part_sizes:
        response.headers["x-amz-mp-parts-count"] = str(len(info.metadata.part_sizes))
    for name in KEPT_HEADERS:
        override = request.http.args.get(f"response-{name}", "")
        if override.isascii() and override.isprintable() and override:
            response.headers[name] = override
    start, end = byte_range or (0, info.size)
    if byte_range:
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.size}"
    response.headers["Content-Length"] = str(end - start)
    return response, start, end - start


def _range(request: S3Request, info: ObjectInfo) -> tuple[int, int] | None:
    """Return start and end of the requested range or part; None for the whole object, and for a Range that S3 ignores.

    Raises:
        S3Error: The range is outside the object (416).
    """
    text = request.http.headers.get("Range", "").strip()
    if (number := request.part_number(MAX_PARTS)) is not None:
        if text:
            raise S3Error("InvalidRequest", 400, "Cannot specify both Range header and partNumber query parameter")
        return _range_of_part(number, info)
    match = re.fullmatch(r"bytes=(\d{0,19})-(\d{0,19})", text)
    if match is None or match[0] == "bytes=-":
        return None
    if match[1] == "":
        start, end = max(0, info.size - int(match[2])), info.size
    else:
        start, end = int(match[1]), min(info.size, int(match[2]) + 1 if match[2] else info.size)
        if match[2] and int(match[2]) < start:
            return None
    if start >= info.size or start >= end:
        raise S3Error("InvalidRange", 416, "The requested range is not satisfiable", RangeRequested=text)
    return start, end


def _range_of_part(number: int, info: ObjectInfo) -> tuple[int, int] | None:
    """Return start and end of the n-th part; an object that was not uploaded in parts is its only part."""
    sizes = info.metadata.part_sizes or (info.size,)
    if number > len(sizes):
        raise S3Error("InvalidPartNumber", 416, "The requested partnumber is not satisfiable")
    start, end = sum(sizes[: number - 1]), sum(sizes[:number])
    # a range cannot be empty
    return (start, end) if start < end else None


def _pieces(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    while length > 0 and (piece := file.read(min(length, PIECE))):
        length -= len(piece)
        yield piece


OPERATIONS = {
    "PutObject": put_object,
    "CopyObject": copy_object,
    "GetObject": get_object,
    "HeadObject": head_object,
    "DeleteObject": delete_object,
}
