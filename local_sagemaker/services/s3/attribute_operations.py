"""Operations on tags and attributes of objects."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

from werkzeug.http import http_date
from werkzeug.wrappers import Response

from local_sagemaker.services.s3.checksums import CHECKSUM_HEADER, member_of
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.object_operations import MAX_TAGS, TAGS_HEADER
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.tags import check_tags
from local_sagemaker.services.s3.versions import version_headers
from local_sagemaker.services.s3.xml import xml_response


def get_object_attributes(request: S3Request) -> Response:
    info = request.objects.info(request.bucket, request.key, request.version_id)
    wanted = {name.strip() for name in request.http.headers.get("x-amz-object-attributes", "").split(",")}
    if unknown := wanted - {"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}:
        raise S3Error("InvalidArgument", 400, f"{min(unknown)[:100]!r} is not an attribute of objects")
    checksums = {member_of(name): value for name, value in info.headers.items() if CHECKSUM_HEADER.fullmatch(name)}
    if checksums:
        checksums["ChecksumType"] = "COMPOSITE" if any("-" in text for text in checksums.values()) else "FULL_OBJECT"
    attributes = {
        "ETag": info.etag,
        "Checksum": checksums or None,
        "ObjectParts": {"PartsCount": len(info.metadata.part_sizes)} if info.metadata.part_sizes else None,
        "StorageClass": "STANDARD",
        "ObjectSize": info.size,
    }
    content = {name: value for name, value in attributes.items() if name in wanted}
    response = xml_response("GetObjectAttributesOutput", content)
    response.headers["Last-Modified"] = http_date(info.modified)
    response.headers.update(version_headers(request.objects, request.bucket, info))
    return response


def get_object_tagging(request: S3Request) -> Response:
    info = request.objects.info(request.bucket, request.key, request.version_id)
    text = info.headers.get(TAGS_HEADER, "")
    tags = [{"Key": key, "Value": value} for key, value in parse_qsl(text, keep_blank_values=True)]
    response = xml_response("Tagging", {"TagSet": {"Tag": tags}})
    response.headers.update(version_headers(request.objects, request.bucket, info))
    return response


def put_object_tagging(request: S3Request) -> Response:
    tags = [(tag.get("Key", ""), tag.get("Value", "")) for tag in request.document.get("TagSet", [])]
    check_tags(tags, MAX_TAGS)
    return Response(headers=_set_tags(request, urlencode(tags), "ObjectTagging:Put"))


def delete_object_tagging(request: S3Request) -> Response:
    return Response(status=204, headers=_set_tags(request, "", "ObjectTagging:Delete"))


def _set_tags(request: S3Request, text: str, event: str) -> dict[str, str]:
    info = request.objects.set_header(request.bucket, request.key, TAGS_HEADER, text, event, request.version_id)
    return version_headers(request.objects, request.bucket, info)


OPERATIONS: dict[str, Callable[[S3Request], Response]] = {
    "GetObjectAttributes": get_object_attributes,
    "GetObjectTagging": get_object_tagging,
    "PutObjectTagging": put_object_tagging,
    "DeleteObjectTagging": delete_object_tagging,
}
