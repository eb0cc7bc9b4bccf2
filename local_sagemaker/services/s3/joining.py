"""Joining the parts of a multipart upload, with all checks that its client asked for."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path

from local_sagemaker.services.s3.checksums import from_base64, new_digest
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.storage.files import PIECE


@dataclass(frozen=True)
class Part:
    """An uploaded part.

    Attributes:
        number: Its part number.
        md5: The MD5 of its bytes, in hexadecimal.
        size: Its size in bytes.
        modified: When it was uploaded, in epoch seconds.
        path: The file that holds it.
    """

    number: int
    md5: str
    size: int
    modified: float
    path: Path


@dataclass(frozen=True)
class ChosenPart:
    """A part in a CompleteMultipartUpload request. `checksums` are by x-amz-checksum-* header."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Completion:
    """A CompleteMultipartUpload request.

    Attributes:
        parts: The parts of the object.
        checksums: Of the whole object, by x-amz-checksum-* header. One that ends with `-` and the number of parts is
            the checksum of the parts' checksums.
        size: Of the object in bytes, if the client has stated it.
    """

    parts: Sequence[ChosenPart]
    checksums: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None

    @property
    def etag(self) -> str:
        """S3's ETag: the MD5 of the parts' MD5s, `-`, and the number of parts; "" if an ETag is not an MD5."""
        md5s = [part.etag for part in self.parts]
        if not all(re.fullmatch(r"[0-9a-f]{32}", text) for text in md5s):
            return ""
        return f"{md5(bytes.fromhex(''.join(md5s)), usedforsecurity=False).hexdigest()}-{len(md5s)}"


def join(parts: Sequence[Part], completion: Completion, target: Path) -> None:
    """Concatenate parts into a new file.

    Raises:
        S3Error: The bytes differ from a checksum of a part (InvalidPart) or of the object (BadDigest), or from the
            object's size (InvalidRequest).
    """
    size = sum(part.size for part in parts)
    if completion.size not in (None, size):
        message = f"x-amz-mp-object-size is {completion.size}, but the parts have {size} bytes"
        raise S3Error("InvalidRequest", 400, message)
    composite = {name for name, text in completion.checksums.items() if "-" in text}
    whole = {name: new_digest(name) for name in completion.checksums.keys() - composite}
    digests_of_parts = {name: new_digest(name) for name in composite}
    with target.open("wb") as joined:
        for part, chosen in zip(parts, completion.parts, strict=True):
            own = {name: new_digest(name) for name in {*chosen.checksums, *composite}}
            with part.path.open("rb") as file:
                while piece := file.read(PIECE):
                    joined.write(piece)
                    for digest in (*whole.values(), *own.values()):
                        digest.update(piece)
            for name, text in chosen.checksums.items():
                if from_base64(text) != own[name].digest():
                    raise S3Error("InvalidPart", 400, f"the {name} of part {part.number} does not match its bytes")
            for name in composite:
                digests_of_parts[name].update(own[name].digest())
    for name, digest in (whole | digests_of_parts).items():
        suffix = f"-{len(parts)}" if name in composite else ""
        if completion.checksums[name] != base64.b64encode(digest.digest()).decode() + suffix:
            raise S3Error("BadDigest", 400, f"the {name} does not match the object")
