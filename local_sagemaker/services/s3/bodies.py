"""Request bodies: read in pieces, decoded from aws-chunked, checked against every digest that the client sent."""

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from werkzeug.wrappers import Request

from local_sagemaker.services.s3.checksums import CHECKSUM_HEADER, Digest, from_base64, new_digest
from local_sagemaker.services.s3.errors import S3Error

CHUNK = 1 << 20
MAX_DOCUMENT_BYTES = 8 << 20
MAX_LINE_BYTES = 16 << 10


@dataclass(frozen=True)
class ReceivedBody:
    """A received body: its MD5 in hexadecimal, its size in bytes, and the checksum headers sent with it."""

    md5: str
    size: int
    checksums: dict[str, str]


def receive_body(request: Request, path: Path) -> ReceivedBody:
    """Write a request's body to `path` in pieces.

    Raises:
        S3Error: The body is shorter than announced (IncompleteBody), or differs from the MD5 (Content-MD5), SHA-256
            (x-amz-content-sha256) or checksum (x-amz-checksum-*, header or trailer) sent with it (BadDigest).
    """
    body = _BodyReader(request)
    with path.open("wb") as file:
        for piece in body.pieces():
            file.write(piece)
    return body.finish()


def read_body(request: Request, *, checksums: bool = True) -> bytes:
    """Return a request's body, a document, at once.

    Args:
        request: The request.
        checksums: Whether the x-amz-checksum-* headers are those of the document.

    Raises:
        S3Error: As `receive_body` raises; or the document has more than 8 MiB.
    """
    body = _BodyReader(request, checksums=checksums)
    pieces, size = [], 0
    for piece in body.pieces():
        size += len(piece)
        if size > MAX_DOCUMENT_BYTES:
            raise S3Error("MalformedXML", 400, f"the document has more than {MAX_DOCUMENT_BYTES} bytes")
        pieces.append(piece)
    body.finish()
    return b"".join(pieces)


def checksum_headers(request: Request) -> dict[str, str]:
    """Return the x-amz-checksum-* headers of a request, in lower case."""
    return {name.lower(): value for name, value in request.headers.items() if CHECKSUM_HEADER.fullmatch(name.lower())}


class _BodyReader:
    def __init__(self, request: Request, *, checksums: bool = True) -> None:
        headers = request.headers
        self._sha256 = headers.get("x-amz-content-sha256", "")
        chunked = self._sha256.startswith("STREAMING-") or "aws-chunked" in headers.get("content-encoding", "")
        if request.content_length is None and "chunked" not in headers.get("transfer-encoding", ""):
            raise S3Error("MissingContentLength", 411, "the request has no Content-Length")
        self._stream = io.BufferedReader(cast(io.RawIOBase, request.stream), CHUNK)
        self._announced = headers.get("x-amz-decoded-content-length") if chunked else None
        self.pieces = self._decoded_chunks if chunked else self._plain
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._content_md5 = headers.get("content-md5")
        self.checksums = checksum_headers(request) if checksums else {}
        trailers = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")]
        names = {*self.checksums, *(name for name in trailers if CHECKSUM_HEADER.fullmatch(name))}
        self._digests: dict[str, Digest] = {name: new_digest(name) for name in names}
        algorithm = headers.get("x-amz-sdk-checksum-algorithm", "").lower()
        if algorithm and f"x-amz-checksum-{algorithm}" not in names:
            raise S3Error(
                "InvalidRequest",
                400,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer "
                "headers were found.",
            )
        if re.fullmatch(r"[0-9a-f]{64}", self._sha256):
            self._digests["x-amz-content-sha256"] = hashlib.sha256()

    def finish(self) -> ReceivedBody:
        """Check what was read against what the headers and trailers announce."""
        if self._announced is not None and self._announced != str(self._size):
            raise S3Error("IncompleteBody", 400, f"received {self._size} bytes of {self._announced}")
        if self._content_md5 is not None and from_base64(self._content_md5) != self._md5.digest():
            raise S3Error("BadDigest", 400, "the Content-MD5 does not match the received body")
        for name, digest in self._digests.items():
            if name == "x-amz-content-sha256":
                if digest.digest().hex() != self._sha256:
                    raise S3Error("XAmzContentSHA256Mismatch", 400, f"the {name} does not match the received body")
            elif name not in self.checksums:
                raise S3Error("MalformedTrailerError", 400, f"the announced trailer {name} is missing")
            elif from_base64(self.checksums[name]) != digest.digest():
                raise S3Error("BadDigest", 400, f"the {name} does not match the received body")
        return ReceivedBody(self._md5.hexdigest(), self._size, self.checksums)

    def _plain(self) -> Iterator[bytes]:
        while piece := self._stream.read1(CHUNK):
            yield self._update_digests(piece)

    def _decoded_chunks(self) -> Iterator[bytes]:
        """Yield the bytes of chunks of the form `size[;chunk-signature=...]CRLF bytes CRLF`; the last one is empty."""
        while True:
            size_text = self._line().partition(b";")[0].strip()
            if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", size_text):
                raise S3Error("IncompleteBody", 400, "the body is not in aws-chunked encoding")
            remaining = int(size_text, 16)
            if remaining == 0:
                break
            while remaining:
                piece = self._stream.read1(min(remaining, CHUNK))
                if not piece:
                    raise S3Error("IncompleteBody", 400, "the body ended within a chunk")
                remaining -= len(piece)
                yield self._update_digests(piece)
            self._line()
        while line := self._line():
            name, _, value = line.partition(b":")
            if CHECKSUM_HEADER.fullmatch(header := name.decode("latin-1").strip().lower()):
                if header not in self._digests:
                    raise S3Error("MalformedTrailerError", 400, f"the trailer {header[:100]} was not announced")
                self.checksums[header] = value.decode("latin-1").strip()

    def _update_digests(self, piece: bytes) -> bytes:
        self._size += len(piece)
        self._md5.update(piece)
        for digest in self._digests.values():
            digest.update(piece)
        return piece

    def _line(self) -> bytes:
        line = self._stream.readline(MAX_LINE_BYTES)
        if len(line) == MAX_LINE_BYTES:
            raise S3Error("InvalidRequest", 400, f"a line of the aws-chunked body has more than {MAX_LINE_BYTES} bytes")
        return line.rstrip(b"\r\n")
