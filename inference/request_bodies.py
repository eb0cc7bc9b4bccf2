"""Parse request bodies: CSV, JSON and JSON Lines."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from features import Record
from request_errors import InputError, shortened

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"


class Request(NamedTuple):
    """A parsed request.

    Attributes:
        body: The body as received, for data capture.
        content_type: The content type as received.
        records: The records of a JSON body.
        text: A CSV body, which cannot be parsed without the features of a model; None for JSON.
    """

    body: bytes | str
    content_type: str
    records: Sequence[Record]
    text: str | None


def read_request(body: bytes | str | None, content_type: str) -> Request:
    """Decode and parse a body.

    Raises:
        InputError: The content type is not supported, or the body is not of that type.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in (CSV, JSON, JSON_LINES):
        raise InputError(
            f"content type {shortened(content_type)} is not supported; send {CSV}, {JSON} or {JSON_LINES}",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    body = body or b""
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"the body is not UTF-8: {error}") from None
    # The container has decoded the body already, and replaced what it could not decode.
    if text is body and "\ufffd" in text:
        raise InputError("the body is not UTF-8: it contains U+FFFD, the replacement for undecodable bytes")
    text = text.removeprefix("\ufeff")
    if media_type == CSV:
        return Request(body, content_type, (), text)
    if media_type == JSON_LINES:
        # A line end is "\n" only: other such characters are allowed inside of strings.
        lines = (line for line in io.StringIO(text, newline="\n") if not line.isspace())
        return Request(body, content_type, [parse_json(line, f"row {row}") for row, line in enumerate(lines, 1)], None)
    content = parse_json(text, "the body")
    if isinstance(content, dict):
        instances = content.get("instances")
        return Request(body, content_type, instances if isinstance(instances, list) else [content], None)
    if isinstance(content, list) and (not content or any(isinstance(item, dict | list) for item in content)):
        return Request(body, content_type, content, None)
    return Request(body, content_type, [content], None)


def parse_json(text: str, place: str) -> Any:
    """Parse a JSON text strictly.

    Args:
        text: The JSON text.
        place: What the text is, for messages.

    Raises:
        InputError: The text is not JSON, is nested too deeply, or an object has duplicate keys.
    """
    try:
        # In less time than decode(), which also takes whitespace before the value.
        value, end = DECODER.raw_decode(text)
        if end == len(text) or not text[end:].strip(" \t\n\r"):
            return value
    except (ValueError, RecursionError, DuplicateKeyError):
        pass
    try:
        return DECODER.decode(text)
    except ValueError as error:
        # Python's advice for integers of many digits does not help a client.
        reason = str(error).partition("; use sys.set_int_max_str_digits()")[0]
        raise InputError(f"{place} is not JSON: {reason}") from None
    except RecursionError:
        raise InputError(f"{place} is nested too deeply") from None
    except DuplicateKeyError as error:
        raise InputError(f"{place} has the duplicate key {shortened(error.args[0])}; send each key once") from None


class DuplicateKeyError(Exception):
    """A JSON object has several values for one key."""


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        names: set[str] = set()
        raise DuplicateKeyError(next(name for name, _ in pairs if name in names or names.add(name)))  # type: ignore[func-returns-value]
    return record


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value; send null for a missing value")


# json.loads would create a decoder per call.
DECODER = json.JSONDecoder(object_pairs_hook=without_duplicates, parse_constant=refuse_constant)
