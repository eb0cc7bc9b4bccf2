"""Operations on single objects: put, get, copy, delete, tag."""

import re
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import parse_qsl, unquote, urlencode

from werkzeug.http import http_date, parse_date, parse_etags
from werkzeug.wrappers import Request, Response

from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import CHECKSUM_HEADER, CHUNK, read_body, receive
from local_sagemaker.services.s3.call import Call
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.xml import document, read_document
from local_sagemaker.storage.files import copy_with_md5
from local_sagemaker.storage.objects import NoSuchBucket, ObjectInfo

# what a client sends with an object and gets back with it
KEPT_HEADERS = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
TAGS_HEADER = "x-amz-tagging"  # `key=value&key=value`; empty where there are none
DEFAULT_TYPE = "binary/octet-stream"


def put_object(call: Call) -> Response:
    if "x-amz-copy-source" in call.request.headers:
        return copy_object(call)
    if "If-Match" in call.request.headers:
        raise S3Error("NotImplemented", 400, "If-Match on a PUT is not supported here; If-None-Match: * is")
    _require_bucket(call)
    aside = call.objects.temporary_path()
    try:
        received = receive(call.request, aside)
        headers = kept_headers(call.request) | received.checksums
        only_new = call.request.headers.get("If-None-Match") == "*"
        info = call.objects.put_temporary(call.bucket, call.key, aside, received.md5, headers, only_new=only_new)
    except FileExistsError as error:
        raise S3Error("PreconditionFailed", 412, f"s3://{call.bucket}/{call.key} exists already") from error
    finally:
        aside.unlink(missing_ok=True)
    return Response(headers={"ETag": f'"{info.etag}"', **received.checksums})


def get_object(call: Call) -> Response:
    file, info = call.objects.open(call.bucket, call.key)
    try:
        response = _described(call, info)
        if response.status_code == 304:
            file.close()
            return response
        start, end = 0, info.size
        if wanted := _range(call.request, info.size):
            start, end = wanted
            response.status_code = 206
            response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{info.size}"
            for name in [name for name, _ in response.headers if CHECKSUM_HEADER.fullmatch(name)]:
                del response.headers[name]  # it is the whole object's
        for name in KEPT_HEADERS:
            override = call.request.args.get(f"response-{name}", "")
            if override.isascii() and override.isprintable() and override:
                response.headers[name] = override
        response.headers["Content-Length"] = str(end - start)
        response.response = _pieces(file, start, end - start)
        response.call_on_close(file.close)
        return response
    except BaseException:
        file.close()
        raise


def head_object(call: Call) -> Response:
    info = call.objects.info(call.bucket, call.key)
    response = _described(call, info)
    if response.status_code != 304:
        response.headers["Content-Length"] = str(info.size)
    return response


def delete_object(call: Call) -> Response:
    call.objects.delete(call.bucket, call.key)
    return Response(status=204)


def copy_object(call: Call) -> Response:
    """CopyObject: metadata and tags of the source, unless their directives say REPLACE."""
    headers = call.request.headers
    _require_bucket(call)
    aside = call.objects.temporary_path()
    try:
        file, source = open_copy_source(call)
        with file:
            md5 = copy_with_md5(file, aside, source.size)
        given = kept_headers(call.request)
        kept = dict(source.headers)
        if headers.get("x-amz-metadata-directive", "COPY") == "REPLACE":
            lasting = {name for name in kept if name == TAGS_HEADER or CHECKSUM_HEADER.fullmatch(name)}
            kept = {name: kept[name] for name in lasting} | {**given, TAGS_HEADER: kept.get(TAGS_HEADER, "")}
        if headers.get("x-amz-tagging-directive", "COPY") == "REPLACE":
            kept[TAGS_HEADER] = given.get(TAGS_HEADER, "")
        info = call.objects.put_temporary(call.bucket, call.key, aside, md5, kept)
    finally:
        aside.unlink(missing_ok=True)
    content = {"LastModified": iso_milliseconds(info.modified), "ETag": f'"{info.etag}"'}
    return Response(document("CopyObjectResult", content), content_type="application/xml")


def get_object_tagging(call: Call) -> Response:
    text = call.objects.info(call.bucket, call.key).headers.get(TAGS_HEADER, "")
    tags = [{"Key": key, "Value": value} for key, value in parse_qsl(text, keep_blank_values=True)]
    return Response(document("Tagging", {"TagSet": {"Tag": tags}}), content_type="application/xml")


def put_object_tagging(call: Call) -> Response:
    request = read_document(read_body(call.request))
    tags = [(tag.findtext("Key", ""), tag.findtext("Value", "")) for tag in request.iter("Tag")]
    if len(tags) > 10 or len(dict(tags)) < len(tags):
        raise S3Error("InvalidTag", 400, "an object takes up to 10 tags, each key once")
    call.objects.set_header(call.bucket, call.key, TAGS_HEADER, urlencode(tags))
    return Response()


def delete_object_tagging(call: Call) -> Response:
    call.objects.set_header(call.bucket, call.key, TAGS_HEADER, "")
    return Response(status=204)


def kept_headers(request: Request) -> dict[str, str]:
    """The headers of a request that belong to the object, in lower case."""
    kept = {}
    for name, value in request.headers.items():
        name = name.lower()
        if name in KEPT_HEADERS or name.startswith("x-amz-meta-") or name == TAGS_HEADER:
            kept[name] = value
    encodings = [coding for part in kept.get("content-encoding", "").split(",") if (coding := part.strip())]
    kept["content-encoding"] = ",".join(coding for coding in encodings if coding != "aws-chunked")
    return {name: value for name, value in kept.items() if value}


def open_copy_source(call: Call) -> tuple[BinaryIO, ObjectInfo]:
    """The object that the header x-amz-copy-source names, opened, where the conditions in the headers beside it hold.

    Raises S3Error, NoSuchBucket, NoSuchKey.
    """
    source = unquote(call.request.headers["x-amz-copy-source"].partition("?versionId=")[0])
    bucket, _, key = source.removeprefix("/").partition("/")
    file, info = call.objects.open(bucket, key)
    if not _may_be_copied(call.request, info):
        file.close()
        raise S3Error("PreconditionFailed", 412, f"the conditions of the copy do not hold; the ETag is {info.etag}")
    return file, info


def _may_be_copied(request: Request, info: ObjectInfo) -> bool:
    """Whether the x-amz-copy-source-if-* headers hold; as on S3, those on ETags outdo those on times."""
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


def _described(call: Call, info: ObjectInfo) -> Response:
    """The response before its body, which a condition of the request turns into a 304 or an S3Error (412)."""
    request = call.request
    changed_since, unchanged_since = _seconds(request, "If-Modified-Since"), _seconds(request, "If-Unmodified-Since")
    if request.if_match and not request.if_match.contains(info.etag):
        raise S3Error("PreconditionFailed", 412, f"the ETag is {info.etag}")
    if not request.if_match and unchanged_since is not None and int(info.modified) > unchanged_since:
        raise S3Error("PreconditionFailed", 412, "the object was modified since")
    response = Response(content_type=None)
    response.headers.update({"ETag": f'"{info.etag}"', "Last-Modified": http_date(info.modified)})
    if request.if_none_match:
        if request.if_none_match.contains_weak(info.etag):
            response.status_code = 304
            return response
    elif changed_since is not None and int(info.modified) <= changed_since:
        response.status_code = 304
        return response
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Content-Type"] = DEFAULT_TYPE
    with_checksums = request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED"
    for name, value in info.headers.items():
        if name == TAGS_HEADER and value:
            response.headers["x-amz-tagging-count"] = str(len(parse_qsl(value, keep_blank_values=True)))
        elif with_checksums or not CHECKSUM_HEADER.fullmatch(name):
            response.headers[name] = value
    return response


def _range(request: Request, size: int) -> tuple[int, int] | None:
    """Start and end of the bytes asked for; None for all of them, and for a Range that S3 would not understand."""
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
        raise S3Error("InvalidRange", 416, f"the range {match[0]} is not in the object's {size} bytes")
    return start, end


def _pieces(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    file.seek(start)
    while length > 0 and (piece := file.read(min(length, CHUNK))):
        length -= len(piece)
        yield piece


def _seconds(request: Request, header: str) -> float | None:
    date = parse_date(request.headers.get(header))
    return None if date is None else date.timestamp()


def _require_bucket(call: Call) -> None:
    if not call.objects.has_bucket(call.bucket):
        raise NoSuchBucket(call.bucket)


OPERATIONS = {
    ("PUT", ""): put_object,
    ("GET", ""): get_object,
    ("HEAD", ""): head_object,
    ("DELETE", ""): delete_object,
    ("GET", "tagging"): get_object_tagging,
    ("PUT", "tagging"): put_object_tagging,
    ("DELETE", "tagging"): delete_object_tagging,
}
