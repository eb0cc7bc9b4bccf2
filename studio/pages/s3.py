"""S3: buckets, prefixes, and objects with a preview of their content.

Keys are in the query string: browsers change paths with `//` or `/../`, which keys may have.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from flask import Blueprint, Response, abort, render_template, request, stream_with_context

from project.target import Target
from studio.access import sandboxed
from studio.paging import page_size
from studio.queries import s3
from studio.queries.previews import preview
from studio.target import call_all, current_target

blueprint = Blueprint("s3", __name__, url_prefix="/s3")

CHUNK_BYTES = 256_000
# what is shown in a frame or as an image; all else is text
CONTENT_TYPES = {
    "html": "text/html; charset=utf-8",
    "htm": "text/html; charset=utf-8",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
}


@blueprint.get("")
def list_buckets() -> str:
    page = s3.list_buckets(current_target(), page_size(), request.args.get("token"))
    return render_template("s3/buckets.html", page=page)


@blueprint.get("/<bucket>")
def browse(bucket: str) -> str:
    """Show an object, or what is below a prefix, which S3 URIs give with or without a slash at the end."""
    key, target = request.args.get("key", ""), current_target()
    if not key or key.endswith("/"):
        return _listing_page(bucket, key, _list(target, bucket, key))
    prefix = f"{key}/"
    found, listing = call_all(
        lambda: s3.find_object(target, bucket, key),
        lambda: s3.list_objects(target, bucket, prefix, begin="", size=1, token=None, sort="Name", descending=False),
    )
    if found is not None:
        has_prefix = bool(listing.page.items)
        return render_template("s3/object.html", item=found, crumbs=_crumbs(bucket, key), has_prefix=has_prefix)
    if not listing.page.items:
        abort(404, f"There is no object s3://{bucket}/{key}, and none below this prefix.")
    return _listing_page(bucket, prefix, _list(target, bucket, prefix))


@blueprint.get("/<bucket>/preview")
def show_preview(bucket: str) -> str:
    item = _object(bucket)
    return render_template("s3/preview.html", item=item, preview=preview(current_target(), item))


@blueprint.get("/<bucket>/content")
def show_content(bucket: str) -> Response:
    """Return an object for a frame or an image of a page, without access to anything of Studio."""
    item = _object(bucket)
    kind = CONTENT_TYPES.get(item.name.lower().rpartition(".")[2])
    if kind is None:
        kind = "text/html; charset=utf-8" if item.content_type.startswith("text/html") else "text/plain; charset=utf-8"
    return sandboxed(_stream(item, kind))


@blueprint.get("/<bucket>/download")
def download(bucket: str) -> Response:
    item = _object(bucket)
    response = _stream(item, "application/octet-stream")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(item.name, safe='')}"
    return sandboxed(response)


def _object(bucket: str) -> s3.S3Object:
    key = request.args.get("key", "")
    found = s3.find_object(current_target(), bucket, key)
    if found is None:
        abort(404, f"There is no object s3://{bucket}/{key}.")
    return found


def _stream(item: s3.S3Object, content_type: str) -> Response:
    """Return an object's content, in parts as S3 sends them."""
    body = current_target().s3.get_object(Bucket=item.bucket, Key=item.key)["Body"]

    def chunks() -> Iterator[bytes]:
        try:
            yield from body.iter_chunks(CHUNK_BYTES)
        finally:
            body.close()

    response = Response(stream_with_context(chunks()), content_type=content_type)
    response.content_length = item.size
    if item.encoding:
        response.headers["Content-Encoding"] = item.encoding
    return response


def _list(target: Target, bucket: str, prefix: str) -> s3.Listing:
    sort = request.args.get("sort", "Name")
    return s3.list_objects(
        target,
        bucket,
        prefix,
        begin=request.args.get("begin", ""),
        size=page_size(),
        token=request.args.get("token"),
        sort=sort if sort in ("Size", "LastModified") else "Name",
        descending=request.args.get("order") != "Ascending",
    )


def _listing_page(bucket: str, prefix: str, listing: s3.Listing) -> str:
    return render_template(
        "s3/listing.html",
        bucket=bucket,
        prefix=prefix,
        listing=listing,
        page=listing.page,
        begin=request.args.get("begin", ""),
        crumbs=_crumbs(bucket, prefix.removesuffix("/")),
    )


def _crumbs(bucket: str, key: str) -> list[tuple[str, str]]:
    """Return the names and prefixes of the way to a key, without the key itself; the bucket's prefix is empty."""
    parts = key.split("/")
    ways = [(part, "/".join(parts[: index + 1]) + "/") for index, part in enumerate(parts[:-1])]
    return [(bucket, ""), *ways] if key else []
