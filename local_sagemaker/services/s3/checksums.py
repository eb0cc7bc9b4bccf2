"""Checksums of bodies: the algorithms of the x-amz-checksum-* headers."""

import base64
import binascii
import hashlib
import re
import sys
import zlib
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from local_sagemaker.protocol.shapes import operation_model
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.storage.files import PIECE

CHECKSUM_HEADER = re.compile(r"x-amz-checksum-(?!type$|algorithm$|mode$)([a-z0-9]+)")
# reversed polynomials
CRC32C, CRC64NVME = 0x82F63B78, 0x9A6C9329AC4BC9B5


class Digest(Protocol):
    """What hashlib's digests and the CRCs have in common."""

    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


def new_digest(header: str) -> Digest:
    """Return the digest for a header such as `x-amz-checksum-crc32`. Raises S3Error (NotImplemented)."""
    algorithm = header.removeprefix("x-amz-checksum-")
    if algorithm == "crc32":
        return _Crc(zlib.crc32, 4)
    if algorithm in ("crc32c", "crc64nvme"):
        return _crc_of(algorithm)
    if algorithm in ("md5", "sha1", "sha256", "sha512"):
        digest: Any = hashlib.new(algorithm, usedforsecurity=False)
        return digest
    raise S3Error("NotImplemented", 501, f"the local S3 does not implement {header[:100]}", Header=header)


def from_base64(text: str) -> bytes:
    """Decode a digest. Raises S3Error (InvalidDigest)."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise S3Error("InvalidDigest", 400, f"{text[:100]!r} is not a base64-encoded digest") from error


def checksum_of_file(header: str, path: Path) -> str:
    """Return the value of a header such as `x-amz-checksum-crc32` for a file. Raises S3Error (NotImplemented)."""
    digest = new_digest(header)
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return base64.b64encode(digest.digest()).decode()


def member_of(header: str) -> str:
    """Return the member that a header such as `x-amz-checksum-crc32` is for, such as ChecksumCRC32."""
    shape = operation_model("s3", "CompleteMultipartUpload").input_shape
    return next(name for name, member in shape.members.items() if member.serialization.get("name") == header)


class _Crc:
    """A CRC with the interface of hashlib's digests; `step(data, crc)` returns the next value."""

    def __init__(self, step: Callable[[bytes, int], int], width: int) -> None:
        self._step = step
        self._width = width
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._width, "big")


def _crc_of(algorithm: str) -> _Crc:
    try:
        # ten times as fast, and installed where the client computes these checksums with it
        from awscrt import checksums
    except ImportError:
        return _Crc(_step(CRC32C, 32), 4) if algorithm == "crc32c" else _Crc(_step(CRC64NVME, 64), 8)
    return _Crc(checksums.crc32c, 4) if algorithm == "crc32c" else _Crc(checksums.crc64nvme, 8)


@cache
def _step(polynomial: int, bits: int) -> Callable[[bytes, int], int]:
    """Return the function that continues a reflected CRC, two bytes at a time."""
    ones = (1 << bits) - 1
    single = []
    for value in range(1 << 8):
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        single.append(value)
    table = []
    for value in range(1 << 16):
        low = single[value & 0xFF] ^ (value >> 8)
        table.append(single[low & 0xFF] ^ (low >> 8))

    def step(data: bytes, crc: int = 0) -> int:
        crc ^= ones
        pairs = array("H", data[: len(data) & ~1])
        if sys.byteorder == "big":
            pairs.byteswap()
        for pair in pairs:
            crc = table[(crc ^ pair) & 0xFFFF] ^ (crc >> 16)
        for byte in data[len(data) & ~1 :]:
            crc = single[(crc ^ byte) & 0xFF] ^ (crc >> 8)
        return crc ^ ones

    return step
