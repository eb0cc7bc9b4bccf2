"""Operations on single objects: put, get, copy, delete, tag."""

import re
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote, urlencode

from werkzeug.http import http_date, parse_date, parse_etags
from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import CHECKSUM_HEADER, CHUNK, read_body, receive_body
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.xml import read_document, xml_response
from local_sagemaker.storage.files import copy_with_md5
from local_sagemaker.storage.objects import ObjectInfo

# stored with an object and returned with it
KEPT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
# `key=value&key=value`; empty if there are no tags
TAGS_HEADER = "x-amz-tagging"
DEFAULT_TYPE = "binary/octet-stream"


def put_object(request: S3Request) -> Response:
    if "x-amz-copy-source" in request.http.headers:
        return copy_object(request)
    if "If-Match" in request.http.headers:
        raise S3Error("NotImplemented", 400, "If-Match is not supported for PUT; use If-None-Match: *")
    request.require_bucket()
    temporary = request.objects.temporary_path()
    try:
        body = receive_body(request.http, temporary)
        headers = kept_headers(request.http) | body.checksums
        only_new = request.http.headers.get("If-None-Match") == "*"
        info = request.objects.put_temporary(
            request.bucket, request.key, temporary, body.md5, headers, only_new=only_new
        )
    except FileExistsError as error:
        raise S3Error("PreconditionFailed", 412, f"s3://{request.bucket}/{request.key} exists already") from error
    finally:
        temporary.unlink(missing_ok=True)
    return Response(headers={"ETag": f'"{info.etag}"', **body.checksums})


def get_object(request: S3Request) -> Response:
    file, info = request.objects.open(request.bucket, request.key)
    try:
        response = _response_headers(request, info)
        if response.status_code == 304:
            file.close()
            return response
        start, end = 0, info.size
        if byte_range := _range(request.http, info.size):
            start, end = byte_range
            response.status_code = 206
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.size}"
            for name in [name for name, _ in response.headers if CHECKSUM_HEADER.fullmatch(name)]:
                # it is the checksum of the whole object
                del response.headers[name]
        for name in KEPT_HEADERS:
            override = request.http.args.get(f"response-{name}", "")
            if override.isascii() and override.isprintable() and override:
                response.headers[name] = override
        response.headers["Content-Length"] = str(end - start)
        response.response = _pieces(file, start, end - start)
        response.call_on_close(file.close)
        return response
    except BaseException:
        file.close()
        raise


def head_object(request: S3Request) -> Response:
    info = request.objects.info(request.bucket, request.key)
    response = _response_headers(request, info)
    if response.status_code != 304:
        response.headers["Content-Length"] = str(info.size)
    return response


def delete_object(request: S3Request) -> Response:
    request.objects.delete(request.bucket, request.key)
    return Response(status=204)


def copy_object(request: S3Request) -> Response:
    """Answer CopyObject: metadata and tags are the source's, unless their directives are REPLACE."""
    headers = request.http.headers
    request.require_bucket()
    temporary = request.objects.temporary_path()
    try:
        file, source = open_copy_source(request)
        with file:
            md5 = copy_with_md5(file, temporary, source.size)
        new = kept_headers(request.http)
        kept = dict(source.headers)
        if headers.get("x-amz-metadata-directive", "COPY") == "REPLACE":
            retained = {name for name in kept if name == TAGS_HEADER or CHECKSUM_HEADER.fullmatch(name)}
            kept = {name: kept[name] for name in retained} | {**new, TAGS_HEADER: kept.get(TAGS_HEADER, "")}
        if headers.get("x-amz-tagging-directive", "COPY") == "REPLACE":
            kept[TAGS_HEADER] = new.get(TAGS_HEADER, "")
        info = request.objects.put_temporary(request.bucket, request.key, temporary, md5, kept)
    finally:
        temporary.unlink(missing_ok=True)
    content = {"LastModified": iso_milliseconds(info.modified), "ETag": f'"{info.etag}"'}
    return xml_response("CopyObjectResult", content)


def get_object_tagging(request: S3Request) -> Response:
    text = request.objects.info(request.bucket, request.key).headers.get(TAGS_HEADER, "")
    tags = [{"Key": key, "Value": value} for key, value in parse_qsl(text, keep_blank_values=True)]
    return xml_response("Tagging", {"TagSet": {"Tag": tags}})


def put_object_tagging(request: S3Request) -> Response:
    root = read_document(read_body(request.http))
    tags = [(tag.findtext("Key", ""), tag.findtext("Value", "")) for tag in root.iter("Tag")]
    if len(tags) > 10 or len(dict(tags)) < len(tags):
        raise S3Error("InvalidTag", 400, "an object can have up to 10 tags with unique keys")
    request.objects.set_header(request.bucket, request.key, TAGS_HEADER, urlencode(tags))
    return Response()


def delete_object_tagging(request: S3Request) -> Response:
    request.objects.set_header(request.bucket, request.key, TAGS_HEADER, "")
    return Response(status=204)


def kept_headers(request: Request) -> dict[str, str]:
    """Return the headers of a request that are stored with the object, in lower case."""
    kept = {}
    for name, value in request.headers.items():
        name = name.lower()
        if name in KEPT_HEADERS or name.startswith("x-amz-meta-") or name == TAGS_HEADER:
            kept[name] = value
    encodings = [coding for part in kept.get("content-encoding", "").split(",") if (coding := part.strip())]
    kept["content-encoding"] = ",".join(coding for coding in encodings if coding != "aws-chunked")
    return {name: value for name, value in kept.items() if value}


def open_copy_source(request: S3Request) -> tuple[BinaryIO, ObjectInfo]:
    """Open the object that the header x-amz-copy-source names, if the x-amz-copy-source-if-* conditions hold.

    Raises:
        S3Error: A condition does not hold.
        NoSuchBucket: The source bucket does not exist.
        NoSuchKey: The source object does not exist.
    """
    source = unquote(request.http.headers["x-amz-copy-source"].partition("?versionId=")[0])
    bucket, _, key = source.removeprefix("/").partition("/")
    file, info = request.objects.open(bucket, key)
    if not _copy_conditions_hold(request.http, info):
        file.close()
        raise S3Error(
            "PreconditionFailed", 412, f"a condition of the copy does not hold; the source's ETag is {info.etag}"
        )
    return file, info


def _copy_conditions_hold(request: Request, info: ObjectInfo) -> bool:
    """Return whether the x-amz-copy-source-if-* conditions hold; ETags take precedence over times, as on S3."""
    conditions = "x-amz-copy-source-if"
    changed_since = _seconds(request, f"{conditions}-modified-since")
    unchanged_since = _seconds(request, f"{conditions}-unmodified-since")
    if (match := request.headers.get(f"{conditions}-match")) is not None:
        if not parse_etags(match).contains(info.etag):
            return False
    elif unchanged_since is not None and int(info.modified) > unchanged_since:
        return False
    if (none_match := request.headers.get(f"{conditions}-none-match")) is not None:
        return not parse_etags(none_match).contains(info.etag)
    return changed_since is None or int(info.modified) > changed_since


def _response_headers(request: S3Request, info: ObjectInfo) -> Response:
    """Return the response without its body; its status is 304 if the object was not modified.

    Raises:
        S3Error: A condition of the request does not hold (412).
    """
    http = request.http
    changed_since, unchanged_since = _seconds(http, "If-Modified-Since"), _seconds(http, "If-Unmodified-Since")
    if http.if_match and not http.if_match.contains(info.etag):
        raise S3Error("PreconditionFailed", 412, f"the object's ETag is {info.etag}")
    if not http.if_match and unchanged_since is not None and int(info.modified) > unchanged_since:
        raise S3Error("PreconditionFailed", 412, "the object was modified after If-Unmodified-Since")
    response = Response(content_type=None)
    response.headers.update({"ETag": f'"{info.etag}"', "Last-Modified": http_date(info.modified)})
    if http.if_none_match:
        if http.if_none_match.contains_weak(info.etag):
            response.status_code = 304
            return response
    elif changed_since is not None and int(info.modified) <= changed_since:
        response.status_code = 304
        return response
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Type"] = DEFAULT_TYPE
    with_checksums = http.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    for name, value in info.headers.items():
        if name == TAGS_HEADER and value:
            response.headers["x-amz-tagging-count"] = str(len(parse_qsl(value, keep_blank_values=True)))
        elif with_checksums or not CHECKSUM_HEADER.fullmatch(name):
            response.headers[name] = value
    return response


def _range(request: Request, size: int) -> tuple[int, int] | None:
    """Return start and end of the requested range; None for the whole object, and for a Range that S3 ignores.

    Raises:
        S3Error: The range is outside the object (416).
    """
    match = re.fullmatch(r"bytes=(\d{0,19})-(\d{0,19})", request.headers.get("Range", "").strip())
    if match is None or match[0] == "bytes=-":
        return None
    if match[1] == "":
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)
        if match[2] and int(match[2]) < start:
            return None
    if start >= size or start >= end:
        raise S3Error("InvalidRange", 416, f"the range {match[0]} is outside the object's {size} bytes")
    return start, end


def _pieces(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    while length > 0 and (piece := file.read(min(length, CHUNK))):
        length -= len(piece)
        yield piece


def _seconds(request: Request, header: str) -> float | None:
    date = parse_date(request.headers.get(header))
    return None if date is None else date.timestamp()


OPERATIONS = {
    ("PUT", ""): put_object,
    ("GET", ""): get_object,
    ("HEAD", ""): head_object,
    ("DELETE", ""): delete_object,
    ("GET", "tagging"): get_object_tagging,
    ("PUT", "tagging"): put_object_tagging,
    ("DELETE", "tagging"): delete_object_tagging,
}
