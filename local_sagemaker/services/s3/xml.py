"""S3's XML documents: responses written from dicts, requests read into dicts."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from botocore.model import ListShape, Shape, StringShape, StructureShape
from werkzeug.wrappers import Response

from local_sagemaker.services.s3.errors import S3Error

SPECIAL = re.compile(r"[&<>\x00-\x1f]")
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def xml_response(name: str, content: dict[str, Any], status: int = 200) -> Response:
    """Return a response with an XML document.

    Args:
        name: The root element.
        content: Its child elements; a list is written as several elements of one name, None as no element. Attributes
            may follow the name of an element.
        status: The HTTP status.
    """
    namespace = "" if name == "Error" else f' xmlns="{NAMESPACE}"'
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{namespace}>{_elements(content)}</{name}>'
    return Response(document.encode(), status=status, content_type="application/xml")


def read_document(body: bytes) -> ElementTree.Element:
    """Return the root element of a document, without namespaces.

    Raises:
        S3Error: The document is malformed (MalformedXML).
    """
    try:
        # expat limits the expansion of entities itself, and S3's requests have no document type declaration
        if b"<!DOCTYPE" in body:
            raise ElementTree.ParseError("a document type declaration is not allowed")
        root = ElementTree.fromstring(body)  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise S3Error("MalformedXML", 400, f"cannot parse the document: {error}") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def document_members(shape: Shape, element: ElementTree.Element) -> Any:
    """Return what a document, or a part of it, holds by its shape in botocore's model; times stay strings.

    Raises:
        S3Error: The document has an element that the shape does not have, or not the right type (MalformedXML).
    """
    if isinstance(shape, StructureShape):
        names = {member.serialization.get("name", name): name for name, member in shape.members.items()}
        members: dict[str, Any] = {}
        for child in element:
            if (name := names.get(child.tag)) is None:
                raise S3Error("MalformedXML", 400, f"{element.tag} has no element {child.tag[:100]!r}")
            member = shape.members[name]
            if isinstance(member, ListShape) and member.serialization.get("flattened"):
                members.setdefault(name, []).append(document_members(member.member, child))
            else:
                members[name] = document_members(member, child)
        return members
    if isinstance(shape, ListShape):
        return [document_members(shape.member, child) for child in element]
    text = (element.text or "").strip() if shape.type_name != "string" else element.text or ""
    if shape.type_name in ("integer", "long"):
        if not re.fullmatch(r"\d{1,18}", text):
            raise S3Error("MalformedXML", 400, f"{element.tag} must be a number, not {text[:100]!r}")
        return int(text)
    return text == "true" if shape.type_name == "boolean" else text


def document_content(shape: Shape, value: Any) -> Any:
    """Return the content for `xml_response` of what `document_members` has read."""
    if isinstance(shape, StructureShape):
        content: dict[str, Any] = {}
        for name, item in value.items():
            member = shape.members[name]
            written = document_content(member, item)
            if isinstance(member, ListShape) and not member.serialization.get("flattened"):
                written = {member.member.serialization.get("name", "member"): written}
            content[member.serialization.get("name", name)] = written
        return content
    return [document_content(shape.member, item) for item in value] if isinstance(shape, ListShape) else value


def check_document(shape: Shape, value: Any) -> None:
    """Check that a document has all required members, and only values that S3 knows. Raises S3Error (MalformedXML)."""
    if isinstance(shape, StructureShape):
        if missing := [name for name in shape.required_members if name not in value]:
            raise S3Error("MalformedXML", 400, f"{shape.name} lacks {missing[0]}")
        for name, item in value.items():
            check_document(shape.members[name], item)
    elif isinstance(shape, ListShape):
        for item in value:
            check_document(shape.member, item)
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        allowed = ", ".join(shape.enum)
        raise S3Error("MalformedXML", 400, f"{value[:100]!r} is not a {shape.name}; use one of {allowed}")


def _elements(content: Any) -> str:
    if isinstance(content, dict):
        return "".join(
            [
                f"<{name}>{_elements(item)}</{name.partition(' ')[0]}>"
                for name, value in content.items()
                if value is not None
                for item in (value if isinstance(value, list) else (value,))
            ]
        )
    if isinstance(content, bool):
        return str(content).lower()
    return SPECIAL.sub(_escape, str(content))


def _escape(match: re.Match[str]) -> str:
    return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(match[0]) or f"&#x{ord(match[0]):x};"
