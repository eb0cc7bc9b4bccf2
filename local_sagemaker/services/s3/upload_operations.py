"""Operations on multipart uploads."""

import re
from pathlib import Path

from werkzeug.wrappers import Response

from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import read_body, receive_body
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.object_operations import kept_headers, open_copy_source
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.uploads import MAX_PARTS, Upload
from local_sagemaker.services.s3.xml import read_document, xml_response
from local_sagemaker.storage.files import copy_with_md5

MAX_LISTED = 1000


def create_multipart_upload(request: S3Request) -> Response:
    upload_id = request.uploads.create(request.bucket, request.key, kept_headers(request.http))
    content = {"Bucket": request.bucket, "Key": request.key, "UploadId": upload_id}
    return xml_response("InitiateMultipartUploadResult", content)


def upload_part(request: S3Request) -> Response:
    """Answer UploadPart or, with x-amz-copy-source, UploadPartCopy."""
    upload, number = _upload(request), request.number("partNumber", 0, MAX_PARTS + 1)
    if not 1 <= number <= MAX_PARTS:
        raise S3Error("InvalidArgument", 400, f"partNumber must be from 1 to {MAX_PARTS}")
    temporary = request.objects.temporary_path()
    try:
        if "x-amz-copy-source" in request.http.headers:
            md5 = _copy_part(request, temporary)
            response = xml_response(
                "CopyPartResult", {"ETag": f'"{md5}"', "LastModified": iso_milliseconds(temporary.stat().st_mtime)}
            )
        else:
            body = receive_body(request.http, temporary)
            md5 = body.md5
            response = Response(headers={"ETag": f'"{md5}"', **body.checksums})
        request.uploads.put_part(upload, number, temporary, md5)
        return response
    finally:
        temporary.unlink(missing_ok=True)


def complete_multipart_upload(request: S3Request) -> Response:
    upload = _upload(request)
    root = read_document(read_body(request.http))
    try:
        chosen = [
            (int(part.findtext("PartNumber", "")), part.findtext("ETag", "").strip()) for part in root.iter("Part")
        ]
    except ValueError as error:
        raise S3Error("MalformedXML", 400, f"the PartNumber of a Part is not valid: {error}") from error
    info = request.uploads.complete(upload, chosen)
    content = {"Bucket": request.bucket, "Key": request.key, "ETag": f'"{info.etag}"'}
    return xml_response("CompleteMultipartUploadResult", content)


def abort_multipart_upload(request: S3Request) -> Response:
    request.uploads.abort(_upload(request))
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
    prefix = request.http.args.get("prefix", "")
    uploads = [
        {"Key": upload.key, "UploadId": upload.upload_id, "Initiated": iso_milliseconds(upload.initiated)}
        for upload in request.uploads.all(request.bucket)
        if upload.key.startswith(prefix)
    ]
    # always one page: thousands of uploads at the same time are not expected on one machine
    return xml_response(
        "ListMultipartUploadsResult", {"Bucket": request.bucket, "IsTruncated": False, "Upload": uploads}
    )


def _upload(request: S3Request) -> Upload:
    return request.uploads.get(request.bucket, request.key, request.http.args["uploadId"])


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


BUCKET_OPERATIONS = {("GET", "uploads"): list_multipart_uploads}
OBJECT_OPERATIONS = {
    ("POST", "uploads"): create_multipart_upload,
    ("PUT", "uploadId"): upload_part,
    ("POST", "uploadId"): complete_multipart_upload,
    ("DELETE", "uploadId"): abort_multipart_upload,
    ("GET", "uploadId"): list_parts,
}
