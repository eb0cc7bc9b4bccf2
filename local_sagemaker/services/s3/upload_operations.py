"""Operations on multipart uploads."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Response

from local_sagemaker.protocol.shapes import operation_model
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import checksum_headers, receive_body
from local_sagemaker.services.s3.checksums import member_of
from local_sagemaker.services.s3.conditions import check_initiated, write_condition
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.joining import ChosenPart, Completion
from local_sagemaker.services.s3.listing_operations import encoding
from local_sagemaker.services.s3.object_operations import (
    MAX_PARTS,
    encryption_headers,
    kept_headers,
    open_copy_source,
)
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.uploads import Upload
from local_sagemaker.services.s3.versions import version_headers
from local_sagemaker.services.s3.xml import xml_response
from local_sagemaker.storage.files import copy_with_md5

MAX_LISTED = 1000


def create_multipart_upload(request: S3Request) -> Response:
    kept = kept_headers(request.http)
    upload_id = request.uploads.create(request.bucket, request.key, kept)
    content = {"Bucket": request.bucket, "Key": request.key, "UploadId": upload_id}
    response = xml_response("InitiateMultipartUploadResult", content)
    response.headers.update(encryption_headers(kept))
    return response


def upload_part(request: S3Request) -> Response:
    def receive(temporary: Path) -> tuple[str, Response]:
        body = receive_body(request.http, temporary)
        return body.md5, Response(headers={"ETag": f'"{body.md5}"', **body.checksums})

    return _put_part(request, receive)


def upload_part_copy(request: S3Request) -> Response:
    def copy(temporary: Path) -> tuple[str, Response]:
        md5 = _copy_part(request, temporary)
        modified = iso_milliseconds(temporary.stat().st_mtime)
        return md5, xml_response("CopyPartResult", {"ETag": f'"{md5}"', "LastModified": modified})

    return _put_part(request, copy)


def complete_multipart_upload(request: S3Request) -> Response:
    condition = write_condition(request.http, request.bucket, request.key)
    completion = _completion(request)
    info = request.uploads.complete(request.bucket, request.key, _upload_id(request), completion, condition)
    content = {
        "Location": f"{request.http.host_url}{request.bucket}/{request.key}",
        "Bucket": request.bucket,
        "Key": request.key,
        "ETag": f'"{completion.etag}"',
        **{member_of(name): value for name, value in completion.checksums.items()},
    }
    response = xml_response("CompleteMultipartUploadResult", content)
    if info is not None:
        response.headers.update(version_headers(request.objects, request.bucket, info))
    return response


def abort_multipart_upload(request: S3Request) -> Response:
    def check(upload: Upload) -> None:
        check_initiated(request.http, upload.initiated)

    request.uploads.abort(request.bucket, request.key, _upload_id(request), check)
    return Response(status=204)


def list_parts(request: S3Request) -> Response:
    upload = _upload(request)
    limit = request.number("max-parts", MAX_LISTED, MAX_LISTED)
    after = request.number("part-number-marker", 0, MAX_PARTS)
    parts = [part for part in request.uploads.parts(upload) if part.number > after]
    listed = [
        {
            "PartNumber": part.number,
            "LastModified": iso_milliseconds(part.modified),
            "ETag": f'"{part.md5}"',
            "Size": part.size,
        }
        for part in parts[:limit]
    ]
    content = {
        "Bucket": request.bucket,
        "Key": request.key,
        "UploadId": upload.upload_id,
        "MaxParts": limit,
        "PartNumberMarker": after,
        "NextPartNumberMarker": parts[limit - 1].number if len(parts) > limit > 0 else None,
        "IsTruncated": len(parts) > limit > 0,
        "StorageClass": "STANDARD",
        "Part": listed,
    }
    return xml_response("ListPartsResult", content)


def list_multipart_uploads(request: S3Request) -> Response:
    request.require_bucket()
    arguments, encode = request.http.args, encoding(request)
    prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
    marker, id_marker = arguments.get("key-marker", ""), arguments.get("upload-id-marker", "")
    limit = request.number("max-uploads", MAX_LISTED, MAX_LISTED)
    entries: dict[tuple[str, str], Upload | None] = {}
    for upload in request.uploads.all(request.bucket):
        rest = upload.key.removeprefix(prefix)
        if not upload.key.startswith(prefix):
            continue
        if delimiter and delimiter in rest:
            rolled_up = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            if rolled_up > marker:
                entries[rolled_up, ""] = None
        elif upload.key > marker or (upload.key == marker and id_marker and upload.upload_id > id_marker):
            entries[upload.key, upload.upload_id] = upload
    page = dict(list(entries.items())[:limit])
    truncated = 0 < limit < len(entries)
    last_key, last_id = list(page)[-1] if truncated else ("", "")
    content = {
        "Bucket": request.bucket,
        "KeyMarker": encode(marker),
        "UploadIdMarker": id_marker,
        "NextKeyMarker": encode(last_key) if truncated else None,
        "NextUploadIdMarker": last_id if truncated else None,
        "Prefix": encode(prefix),
        "Delimiter": encode(delimiter) if delimiter else None,
        "MaxUploads": limit,
        "EncodingType": arguments.get("encoding-type") or None,
        "IsTruncated": truncated,
        "Upload": [
            {
                "Key": encode(upload.key),
                "UploadId": upload.upload_id,
                "StorageClass": "STANDARD",
                "Initiated": iso_milliseconds(upload.initiated),
            }
            for upload in page.values()
            if upload is not None
        ],
        "CommonPrefixes": [{"Prefix": encode(key)} for (key, _), upload in page.items() if upload is None],
    }
    return xml_response("ListMultipartUploadsResult", content)


def _upload_id(request: S3Request) -> str:
    return request.http.args["uploadId"]


def _upload(request: S3Request) -> Upload:
    return request.uploads.get(request.bucket, request.key, _upload_id(request))


def _put_part(request: S3Request, write: Callable[[Path], tuple[str, Response]]) -> Response:
    """Write a part to a temporary file, with a function that returns its MD5 and the response, and add it."""
    upload, number = _upload(request), request.part_number(MAX_PARTS) or 1
    temporary = request.objects.temporary_path()
    try:
        md5, response = write(temporary)
        request.uploads.put_part(upload, number, temporary, md5)
        return response
    finally:
        temporary.unlink(missing_ok=True)


def _completion(request: S3Request) -> Completion:
    """Return what a CompleteMultipartUpload request asks for. Raises S3Error."""
    headers = request.http.headers
    listed: list[dict[str, Any]] = request.document.get("Parts", [])
    if not listed or not all("PartNumber" in part and "ETag" in part for part in listed):
        raise S3Error("MalformedXML", 400, "CompleteMultipartUpload lists parts with their PartNumber and ETag")
    parts = [
        ChosenPart(
            part["PartNumber"],
            part["ETag"].strip().strip('"'),
            {_header_of(name): value for name, value in part.items() if name.startswith("Checksum")},
        )
        for part in listed
    ]
    size = headers.get("x-amz-mp-object-size", "")
    if size and not (size.isascii() and size.isdigit()):
        raise S3Error("InvalidArgument", 400, f"x-amz-mp-object-size must be a number, not {size[:100]!r}")
    checksums = checksum_headers(request.http)
    if headers.get("x-amz-checksum-type", "").upper() == "COMPOSITE":
        checksums = {name: f"{text.partition('-')[0]}-{len(parts)}" for name, text in checksums.items()}
    return Completion(parts, checksums, int(size) if size else None)


def _header_of(member: str) -> str:
    shape = operation_model("s3", "CompleteMultipartUpload").input_shape
    return str(shape.members[member].serialization["name"]) if shape else ""


def _copy_part(request: S3Request, temporary: Path) -> str:
    file, source = open_copy_source(request)
    with file:
        start, end = 0, source.size
        if text := request.http.headers.get("x-amz-copy-source-range"):
            match = re.fullmatch(r"bytes=(\d{1,19})-(\d{1,19})", text)
            if match is None or not int(match[1]) <= int(match[2]) < source.size:
                raise S3Error("InvalidArgument", 400, f"{text[:100]!r} is not a range within {source.size} bytes")
            start, end = int(match[1]), int(match[2]) + 1
        file.seek(start)
        return copy_with_md5(file, temporary, end - start)


OPERATIONS = {
    "CreateMultipartUpload": create_multipart_upload,
    "UploadPart": upload_part,
    "UploadPartCopy": upload_part_copy,
    "CompleteMultipartUpload": complete_multipart_upload,
    "AbortMultipartUpload": abort_multipart_upload,
    "ListParts": list_parts,
    "ListMultipartUploads": list_multipart_uploads,
}
