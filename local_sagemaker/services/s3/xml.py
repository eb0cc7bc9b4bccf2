"""S3's XML documents, written from dicts and read into elements."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from local_sagemaker.services.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def document(name: str, content: Mapping[str, Any]) -> bytes:
    """An XML document; a list stands for several elements of one name, None for no element."""
    namespace = "" if name == "Error" else f' xmlns="{NAMESPACE}"'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{name}{namespace}>{_inside(content)}</{name}>'.encode()


def read_document(body: bytes) -> ElementTree.Element:
    """The root element, namespaces stripped. Raises S3Error (MalformedXML)."""
    try:
        # expat bounds the expansion of entities by itself, and no request has a document type
        if b"<!DOCTYPE" in body:
            raise ElementTree.ParseError("a document type is not allowed")
        root = ElementTree.fromstring(body)  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise S3Error("MalformedXML", 400, f"the document cannot be read: {error}") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _inside(content: Any) -> str:
    if isinstance(content, Mapping):
        return "".join(
            f"<{name}>{_inside(item)}</{name}>"
            for name, value in content.items()
            if value is not None
            for item in (value if isinstance(value, list) else [value])
        )
    if isinstance(content, bool):
        return str(content).lower()
    return re.sub(r"[\x00-\x1f]", lambda match: f"&#x{ord(match[0]):x};", escape(str(content)))
