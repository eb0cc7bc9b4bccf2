"""ListObjectVersions."""

from collections.abc import Iterator
from itertools import islice

from werkzeug.wrappers import Response

from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.listing_operations import MAX_KEYS, OWNER, encoding
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.xml import xml_response
from local_sagemaker.storage.object_info import ListedVersion


def list_object_versions(request: S3Request) -> Response:
    arguments, encode = request.http.args, encoding(request)
    prefix, delimiter = arguments.get("prefix", ""), arguments.get("delimiter", "")
    key_marker, id_marker = arguments.get("key-marker", ""), arguments.get("version-id-marker", "")
    if id_marker and not key_marker:
        raise S3Error("InvalidArgument", 400, "A version-id marker cannot be specified without a key marker.")
    limit = request.number("max-keys", MAX_KEYS, MAX_KEYS)
    found = list(islice(_entries(request, prefix, delimiter, key_marker, id_marker), limit + 1))
    page, is_truncated = found[:limit], 0 < limit < len(found)
    last = page[-1] if is_truncated else ""
    content = {
        "Name": request.bucket,
        "Prefix": encode(prefix),
        "Delimiter": encode(delimiter) if delimiter else None,
        "KeyMarker": encode(key_marker),
        "VersionIdMarker": id_marker,
        "MaxKeys": limit,
        "EncodingType": arguments.get("encoding-type") or None,
        "IsTruncated": is_truncated,
        "NextKeyMarker": encode(last.key if isinstance(last, ListedVersion) else last) or None,
        "NextVersionIdMarker": last.info.version_id if isinstance(last, ListedVersion) else None,
    }
    versions: list[dict[str, object]] = []
    markers: list[dict[str, object]] = []
    for entry in page:
        if isinstance(entry, ListedVersion):
            described: dict[str, object] = {
                "Key": encode(entry.key),
                "VersionId": entry.info.version_id,
                "IsLatest": entry.is_latest,
                "LastModified": iso_milliseconds(entry.info.modified),
                "Owner": OWNER,
            }
            if entry.info.is_delete_marker:
                markers.append(described)
            else:
                more = {"ETag": f'"{entry.info.etag}"', "Size": entry.info.size, "StorageClass": "STANDARD"}
                versions.append({**described, **more})
    prefixes = [{"Prefix": encode(entry)} for entry in page if isinstance(entry, str)]
    lists = {"Version": versions, "DeleteMarker": markers, "CommonPrefixes": prefixes}
    return xml_response("ListVersionsResult", {**content, **lists})


def _entries(
    request: S3Request, prefix: str, delimiter: str, key_marker: str, id_marker: str
) -> Iterator[ListedVersion | str]:
    """Yield what is listed after the markers: versions of each key, newest first, and common prefixes."""
    if id_marker:
        versions = _versions(request, key_marker)
        ids = [version.info.version_id for version in versions]
        # if the marker has been deleted since, the rest of its key is listed again
        yield from versions[ids.index(id_marker) + 1 if id_marker in ids else 0 :]
    last = key_marker
    for key in request.objects.version_keys(request.bucket, prefix, key_marker):
        rest = key[len(prefix) :]
        if delimiter and delimiter in rest:
            rolled_up = prefix + rest[: rest.index(delimiter) + len(delimiter)]
            if rolled_up != last:
                yield rolled_up
            last = rolled_up
        else:
            yield from _versions(request, key)


def _versions(request: S3Request, key: str) -> list[ListedVersion]:
    found = request.objects.versions(request.bucket, key)
    return [ListedVersion(key, info, place == 0) for place, info in enumerate(found)]


OPERATIONS = {"ListObjectVersions": list_object_versions}
