"""Paths of objects below their bucket's folder, by key, and keys by path.

A key is its path, with parts that cannot be file names percent-encoded:

- `%` is `%25`, control characters are `%00` to `%1F` and `%7F`, the segments `.` and `..` are `%2E` and `%2E%2E`;
- an empty segment, as at the end of `folder/` or within `a//b`, is a lone `%`;
- a segment of more than 240 bytes is cut into nested folders whose names end in `%+`;
- if both `a` and `a/b` are keys, `a` is the folder and the object `a` is the file `a%`.

A file whose name does not follow these rules (such as `50%.csv`, added by hand) is an object whose key is its path.
"""

import re
from pathlib import Path
from urllib.parse import unquote

LONGEST_KEY = 1024
LONGEST_SEGMENT = 240

EMPTY = "%"
BESIDE_A_FOLDER = "%"
CONTINUED = "%+"

Parts = tuple[str, ...]


class BadName(ValueError):
    """The name of a bucket or a key is not one that S3 allows."""


class KeyTooLong(BadName):
    """A key has more bytes than S3 allows.

    Args:
        size: Its bytes.
    """

    def __init__(self, size: int) -> None:
        super().__init__(f"a key has 1 to {LONGEST_KEY} bytes, this one has {size}")
        self.size = size


def is_bucket_name(name: str) -> bool:
    """Return whether S3 allows the name: 3 to 63 of a-z, 0-9, '-' and '.', a letter or digit at both ends, no '..'."""
    return re.fullmatch(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", name) is not None


def places(key: str) -> list[Parts]:
    """Return where the bytes of a key may be: as written, as written beside a folder of that name, as added by hand.

    Raises:
        BadName: S3 does not allow the key.
    """
    found = _written_places(key)
    by_hand = tuple(key.split("/"))
    if by_hand not in found and _could_be_path(by_hand) and not _is_written(by_hand):
        found.append(by_hand)
    return found


def plain_path(key: str) -> Parts:
    """Return the path of a key below its bucket, unless there is a folder of that name. Raises BadName."""
    try:
        length = len(key.encode())
    except UnicodeEncodeError as error:
        raise BadName("a key must be valid UTF-8") from error
    if length == 0:
        raise BadName(f"a key has 1 to {LONGEST_KEY} bytes, this one is empty")
    if length > LONGEST_KEY:
        raise KeyTooLong(length)
    return tuple(part for segment in key.split("/") for part in _encode(segment))


def key_of(parts: Parts) -> str | None:
    """Return the key of the file at this path; None if it cannot be an object."""
    if _is_written(parts):
        return _decode(parts)
    by_hand = "/".join(parts)
    try:
        return by_hand if parts in places(by_hand) else None
    except BadName:
        return None


def beside_folder(path: Path) -> Path:
    """Return the path of an object if there is a folder of its name."""
    return path.with_name(path.name + BESIDE_A_FOLDER)


def _written_places(key: str) -> list[Parts]:
    plain = plain_path(key)
    return [plain, (*plain[:-1], plain[-1] + BESIDE_A_FOLDER)]


def _is_written(parts: Parts) -> bool:
    """Return whether a key would be written to this path."""
    try:
        return parts in _written_places(_decode(parts))
    except BadName:
        return False


def _encode(segment: str) -> list[str]:
    """Return the file names, outermost first, of one segment of a key."""
    if segment == "":
        return [EMPTY]
    if segment in (".", ".."):
        return [segment.replace(".", "%2E")]
    parts, size = [""], 0
    for char in segment:
        unit = f"%{ord(char):02X}" if char < " " or char in "%\x7f" else char
        if size + len(unit.encode()) > LONGEST_SEGMENT:
            parts[-1] += CONTINUED
            parts.append("")
            size = 0
        parts[-1] += unit
        size += len(unit.encode())
    return parts


def _decode(parts: Parts) -> str:
    """Return the key that would be written to this path; an arbitrary string if none would be."""
    key = ""
    for place, part in enumerate(parts, start=1):
        if place == len(parts) and part != EMPTY:
            part = part.removesuffix(BESIDE_A_FOLDER)
        text = "" if part == EMPTY else unquote(part.removesuffix(CONTINUED))
        key += text if place == len(parts) or part.endswith(CONTINUED) else text + "/"
    return key


def _could_be_path(parts: Parts) -> bool:
    return all(part not in ("", ".", "..") and "\0" not in part and len(part.encode()) <= 255 for part in parts)
