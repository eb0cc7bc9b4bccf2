"""Operations of multipart uploads."""

import re
from collections.abc import Mapping
from pathlib import Path

from werkzeug.wrappers import Response

from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.bodies import read_body, receive
from local_sagemaker.services.s3.call import Call
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.object_operations import kept_headers, open_copy_source
from local_sagemaker.services.s3.uploads import MOST_PARTS, Upload
from local_sagemaker.services.s3.xml import document, read_document
from local_sagemaker.storage.files import copy_with_md5

MOST_LISTED = 1000


def create_multipart_upload(call: Call) -> Response:
    upload_id = call.uploads.create(call.bucket, call.key, kept_headers(call.request))
    content = {"Bucket": call.bucket, "Key": call.key, "UploadId": upload_id}
    return _xml("InitiateMultipartUploadResult", content)


def upload_part(call: Call) -> Response:
    """UploadPart, and with x-amz-copy-source UploadPartCopy."""
    upload, number = _upload(call), call.number("partNumber", 0, MOST_PARTS + 1)
    if not 1 <= number <= MOST_PARTS:
        raise S3Error("InvalidArgument", 400, f"partNumber must be from 1 to {MOST_PARTS}")
    aside = call.objects.temporary_path()
    try:
        if "x-amz-copy-source" in call.request.headers:
            md5 = _copy_part(call, aside)
            response = _xml(
                "CopyPartResult", {"ETag": f'"{md5}"', "LastModified": iso_milliseconds(aside.stat().st_mtime)}
            )
        else:
            received = receive(call.request, aside)
            md5 = received.md5
            response = Response(headers={"ETag": f'"{md5}"', **received.checksums})
        call.uploads.put_part(upload, number, aside, md5)
        return response
    finally:
        aside.unlink(missing_ok=True)


def complete_multipart_upload(call: Call) -> Response:
    upload = _upload(call)
    request = read_document(read_body(call.request))
    try:
        chosen = [
            (int(part.findtext("PartNumber", "")), part.findtext("ETag", "").strip()) for part in request.iter("Part")
        ]
    except ValueError as error:
        raise S3Error("MalformedXML", 400, f"a Part has no valid PartNumber: {error}") from error
    info = call.uploads.complete(upload, chosen)
    content = {"Bucket": call.bucket, "Key": call.key, "ETag": f'"{info.etag}"'}
    return _xml("CompleteMultipartUploadResult", content)


def abort_multipart_upload(call: Call) -> Response:
    call.uploads.abort(_upload(call))
    return Response(status=204)


def list_parts(call: Call) -> Response:
    upload = _upload(call)
    most = call.number("max-parts", MOST_LISTED, MOST_LISTED)
    after = call.number("part-number-marker", 0, MOST_PARTS)
    parts = [part for part in call.uploads.parts(upload) if part.number > after]
    listed = [
        {
            "PartNumber": part.number,
            "LastModified": iso_milliseconds(part.modified),
            "ETag": f'"{part.md5}"',
            "Size": part.size,
        }
        for part in parts[:most]
    ]
    content = {
        "Bucket": call.bucket,
        "Key": call.key,
        "UploadId": upload.upload_id,
        "MaxParts": most,
        "PartNumberMarker": after,
        "NextPartNumberMarker": parts[most - 1].number if len(parts) > most > 0 else None,
        "IsTruncated": len(parts) > most > 0,
        "StorageClass": "STANDARD",
        "Part": listed,
    }
    return _xml("ListPartsResult", content)


def list_multipart_uploads(call: Call) -> Response:
    prefix = call.request.args.get("prefix", "")
    uploads = [
        {"Key": upload.key, "UploadId": upload.upload_id, "Initiated": iso_milliseconds(upload.initiated)}
        for upload in call.uploads.all(call.bucket)
        if upload.key.startswith(prefix)
    ]
    # in one page: nobody has thousands of them under way on one machine
    return _xml("ListMultipartUploadsResult", {"Bucket": call.bucket, "IsTruncated": False, "Upload": uploads})


def _upload(call: Call) -> Upload:
    return call.uploads.get(call.bucket, call.key, call.request.args["uploadId"])


def _copy_part(call: Call, aside: Path) -> str:
    file, source = open_copy_source(call)
    with file:
        start, end = 0, source.size
        if wanted := call.request.headers.get("x-amz-copy-source-range"):
            match = re.fullmatch(r"bytes=(\d{1,19})-(\d{1,19})", wanted)
            if match is None or not int(match[1]) <= int(match[2]) < source.size:
                raise S3Error("InvalidArgument", 400, f"{wanted[:100]!r} is not a range of {source.size} bytes")
            start, end = int(match[1]), int(match[2]) + 1
        file.seek(start)
        return copy_with_md5(file, aside, end - start)


def _xml(name: str, content: Mapping[str, object]) -> Response:
    return Response(document(name, content), content_type="application/xml")


BUCKET_OPERATIONS = {("GET", "uploads"): list_multipart_uploads}
OBJECT_OPERATIONS = {
    ("POST", "uploads"): create_multipart_upload,
    ("PUT", "uploadId"): upload_part,
    ("POST", "uploadId"): complete_multipart_upload,
    ("DELETE", "uploadId"): abort_multipart_upload,
    ("GET", "uploadId"): list_parts,
}
