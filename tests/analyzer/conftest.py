from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# On a loaded machine, examples can exceed Hypothesis's deadline.
settings.register_profile("quality", deadline=None, max_examples=50)
settings.load_profile("quality")


@pytest.fixture(autouse=True)
def usual_csv_limit() -> None:
    """Restore the csv module's field limit, which the serving handler raises for the whole process of the tests."""
    csv.field_size_limit(128 << 10)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Return a function that writes a file, creates its folders and returns its path."""

    def write_file(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


@pytest.fixture(scope="session")
def event() -> Callable[..., dict[str, Any]]:
    """Return a function that makes a captured inference as an endpoint's data capture writes it."""

    def make(
        request: str | None = None,
        response: str | None = None,
        *,
        identity: str = "1",
        inference_id: str | None = None,
        time: str = "2026-01-31T12:00:00Z",
        input_encoding: str | None = None,
        input_type: str = "text/csv",
        output_encoding: str = "JSON",
    ) -> dict[str, Any]:
        data: dict[str, Any] = {}
        if request is not None:
            is_json = request.startswith(("{", "["))
            encoding = input_encoding or ("JSON" if is_json else "CSV")
            data["endpointInput"] = {"observedContentType": input_type, "mode": "INPUT", "data": request}
            data["endpointInput"]["encoding"] = encoding
        if response is not None:
            kind = "application/json" if output_encoding == "JSON" else "text/csv"
            data["endpointOutput"] = {"observedContentType": kind, "mode": "OUTPUT", "data": response}
            data["endpointOutput"]["encoding"] = output_encoding
        metadata = {"eventId": identity, "inferenceTime": time}
        if inference_id is not None:
            metadata["inferenceId"] = inference_id
        return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}

    return make
