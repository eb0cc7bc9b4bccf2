"""S3's XML documents: responses written from dicts, requests read into elements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from werkzeug.wrappers import Response

from local_sagemaker.services.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def xml_response(name: str, content: Mapping[str, Any], status: int = 200) -> Response:
    """Return a response with an XML document.

    Args:
        name: The root element.
        content: Its child elements; a list is written as several elements of one name, None as no element.
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


def _elements(content: Any) -> str:
    if isinstance(content, Mapping):
        return "".join(
            f"<{name}>{_elements(item)}</{name}>"
            for name, value in content.items()
            if value is not None
            for item in (value if isinstance(value, list) else [value])
        )
    if isinstance(content, bool):
        return str(content).lower()
    return re.sub(r"[\x00-\x1f]", lambda match: f"&#x{ord(match[0]):x};", escape(str(content)))
