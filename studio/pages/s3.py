"""S3: buckets, prefixes, and objects with a preview of their content.

Keys are in the query string: browsers change paths with `//` or `/../`, which keys may have.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar
from urllib.parse import quote

from botocore.exceptions import ClientError
from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from project.s3_uris import is_s3_uri
from project.target import Target
from studio.access import sandboxed
from studio.failures import explain
from studio.links import address_of
from studio.paging import choice, page_size
from studio.queries import s3
from studio.queries.previews import preview
from studio.target import call_all, current_target

blueprint = Blueprint("s3", __name__, url_prefix="/s3")

T = TypeVar("T")
CHUNK_BYTES = 256_000
# media types of frames and images; other objects are text
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
def list_buckets() -> str | AnyResponse:
    uri = request.args.get("uri", "").strip()
    if is_s3_uri(uri) and (address := address_of(uri)):
        return redirect(address)
    page, error = _result_or_error(lambda: s3.list_buckets(current_target(), page_size(), request.args.get("token")))
    # an S3 URI can be opened without the permission to list buckets
    return render_template("s3/buckets.html", page=page, failure=explain(error) if error else None, uri=uri)


@blueprint.get("/<bucket>")
def browse(bucket: str) -> str:
    """Show an object, or the listing of a prefix, which an S3 URI may give with or without a slash at the end."""
    key, target = request.args.get("key", ""), current_target()
    if not key or key.endswith("/"):
        return _listing_page(bucket, key, _listing_of(target, bucket, key)())
    prefix = f"{key}/"
    # with permissions for one of them, the other one is refused
    list_prefix = _listing_of(target, bucket, prefix)
    (found, head_error), (listing, list_error) = call_all(
        lambda: _result_or_error(lambda: s3.find_object(target, bucket, key)),
        lambda: _result_or_error(list_prefix),
    )
    is_prefix = listing is not None and bool(listing.page.items)
    if found is not None:
        return render_template("s3/object.html", item=found, breadcrumbs=_breadcrumbs(bucket, key), is_prefix=is_prefix)
    if listing is not None and listing.page.items:
        return _listing_page(bucket, prefix, listing)
    if error := list_error or head_error:
        raise error
    abort(404, f"There is no object s3://{bucket}/{key}, and none below this prefix.")


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


def _result_or_error(call: Callable[[], T]) -> tuple[T, None] | tuple[None, ClientError]:
    """Return the result of a call, or why AWS has refused it."""
    try:
        return call(), None
    except ClientError as error:
        return None, error


def _object(bucket: str) -> s3.S3Object:
    key = request.args.get("key", "")
    found = s3.find_object(current_target(), bucket, key)
    if found is None:
        abort(404, f"There is no object s3://{bucket}/{key}.")
    return found


def _stream(item: s3.S3Object, content_type: str) -> Response:
    """Return an object's content, in parts as S3 sends them."""
    # the object may have been replaced since it was found
    content = current_target().s3.get_object(Bucket=item.bucket, Key=item.key)
    body = content["Body"]
    response = Response(body.iter_chunks(CHUNK_BYTES), content_type=content_type)
    response.call_on_close(body.close)
    response.content_length = content["ContentLength"]
    if encoding := content.get("ContentEncoding"):
        response.headers["Content-Encoding"] = encoding
    return response


def _listing_of(target: Target, bucket: str, prefix: str) -> Callable[[], s3.Listing]:
    """Return the call of the listing; it runs in a thread, which has no request context."""
    return partial(
        s3.list_objects,
        target,
        bucket,
        prefix,
        begin=request.args.get("begin", ""),
        size=page_size(),
        token=request.args.get("token"),
        sort=choice("sort", ("Size", "LastModified"), "Name"),
        descending=request.args.get("order") != "Ascending",
    )


def _listing_page(bucket: str, prefix: str, listing: s3.Listing) -> str:
    return render_template(
        "s3/listing.html",
        bucket=bucket,
        prefix=prefix,
        listing=listing,
        page=listing.page,
        max_keys=s3.MAX_KEYS,
        begin=request.args.get("begin", ""),
        breadcrumbs=_breadcrumbs(bucket, prefix.removesuffix("/")),
    )


def _breadcrumbs(bucket: str, key: str) -> list[tuple[str, str]]:
    """Return the names and addresses of the list of buckets, the bucket and the folders of a key."""
    found = [("S3", url_for("s3.list_buckets"))]
    if key:
        found.append((bucket, url_for("s3.browse", bucket=bucket)))
    parts = key.split("/")[:-1]
    for index, part in enumerate(parts, 1):
        prefix = "/".join(parts[:index]) + "/"
        # keys may have // in them
        found.append((part or "(empty)", url_for("s3.browse", bucket=bucket, key=prefix)))
    return found
