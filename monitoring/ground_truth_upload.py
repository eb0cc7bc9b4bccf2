"""Uploads labels of captured inferences in the format that Model Monitor and the monitoring pipeline merge."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.hourly_objects import hours_of_batch_inferences, hours_of_inferences
from project.errors import UserError
from project.s3_uris import split_s3_uri
from project.settings import Settings
from project.target import Target


@dataclass(frozen=True)
class GroundTruthUpload:
    """The result of an upload.

    Attributes:
        labels: Number of labels in the file.
        matched: Number of labels whose inference was captured; only these are uploaded.
        unlabelled: Number of lines without a label.
        unmatched: Up to five ids without a captured inference.
        uris: S3 URIs of the uploaded files, one per hour.
    """

    labels: int
    matched: int
    unlabelled: int
    unmatched: tuple[str, ...]
    uris: tuple[str, ...]


def read_labels(path: Path) -> tuple[dict[str, str], int]:
    """Read labels from CSV with the columns id and label, or from JSON lines.

    Returns:
        Labels by inference id, and the number of lines without a label.

    Raises:
        UserError: The file can't be read, or has no labels.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a file with labels") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text; give CSV or JSON lines of id and label") from None
    labels: dict[str, str] = {}
    unlabelled = 0
    for inference_id, label in _json_pairs(path, text) if text.lstrip().startswith("{") else _csv_pairs(path, text):
        if label == "":
            unlabelled += 1
        else:
            labels[inference_id] = label
    if not labels:
        raise UserError(
            f"{path} has no labels; expected id,label on each line, as `deployment traffic --input FILE` writes them"
        )
    return labels, unlabelled


def upload_ground_truth(
    settings: Settings, target: Target, path: Path, capture_uri: str, ground_truth_uri: str, days: int, batch: bool
) -> GroundTruthUpload:
    """Upload the labels of captured inferences into the folder of the inference's hour. Idempotent.

    Args:
        settings: The project's settings.
        target: Where the captures are.
        path: File with labels.
        capture_uri: S3 prefix of an endpoint's captures or, with `batch`, of the transform jobs' captures.
        ground_truth_uri: S3 prefix to upload to.
        days: Number of days to search for captured inferences.
        batch: Whether the ids are those of batch transform jobs.

    Raises:
        UserError: The file is not usable, or none of its inferences was captured.
    """
    labels, unlabelled = read_labels(path)
    search = hours_of_batch_inferences if batch else hours_of_inferences
    hours = search(target, capture_uri, labels.keys(), datetime.now(UTC) - timedelta(days=days))
    unmatched = [inference_id for inference_id in labels if inference_id not in hours]
    if not hours:
        raise UserError(
            f"none of the {len(labels)} ids in {path} (such as {unmatched[0]!r}) was captured below {capture_uri} in "
            f"the last {days} days; captures appear minutes after their inferences: try again later, or increase --days"
        )
    by_hour = defaultdict(list)
    for inference_id in sorted(hours):
        by_hour[hours[inference_id]].append(inference_id)
    uris = tuple(
        _put(
            settings, target, f"{ground_truth_uri}/{hour}", {inference_id: labels[inference_id] for inference_id in ids}
        )
        for hour, ids in sorted(by_hour.items())
    )
    return GroundTruthUpload(len(labels), len(hours), unlabelled, tuple(unmatched[:5]), uris)


def _put(settings: Settings, target: Target, folder_uri: str, labels: dict[str, str]) -> str:
    """Put an hour's labels under a name with a hash of their content; return the URI."""
    events = (_event(inference_id, label) for inference_id, label in labels.items())
    content = "".join(f"{json.dumps(event, ensure_ascii=False)}\n" for event in events)
    uri = f"{folder_uri}/{hashlib.sha256(content.encode()).hexdigest()[:16]}.jsonl"
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(Bucket=bucket, Key=key, Body=content.encode(), **settings.security.object_encryption)
    return uri


def _event(inference_id: str, label: str) -> dict[str, object]:
    """Build a ground truth record as described in "Ingest ground truth labels" in SageMaker's developer guide."""
    return {
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "eventMetadata": {"eventId": inference_id},
        "eventVersion": "0",
    }


def _csv_pairs(path: Path, text: str) -> Iterator[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(text))
    columns = rows.fieldnames or []
    if "id" not in columns or "label" not in columns:
        raise UserError(f"{path} has the columns {', '.join(columns) or 'none'}; expected id and label")
    for row in rows:
        yield row["id"] or "", row["label"] or ""


def _json_pairs(path: Path, text: str) -> Iterator[tuple[str, str]]:
    # not splitlines(), which also splits at characters that JSON allows inside strings
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                record = json.loads(line)
                label = record["label"]
                yield str(record["id"]), "" if label is None else str(label)
            except (ValueError, KeyError, TypeError):
                raise UserError(f'{path}: line {number} is not of the form {{"id": "...", "label": "..."}}') from None
