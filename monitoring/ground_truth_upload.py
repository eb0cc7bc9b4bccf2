"""Labels of captured inferences, in the form and place in which Model Monitor, and our own pipeline, merges them."""

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
    """labels: with an id and a label. matched: those whose inference was captured; only they are uploaded.

    unmatched: a few of the other ids. unlabelled: lines without a label.
    """

    labels: int
    matched: int
    unlabelled: int
    unmatched: tuple[str, ...]
    uris: tuple[str, ...]


def read_labels(path: Path) -> tuple[dict[str, str], int]:
    """Labels by inference id, and how many lines have none: of CSV with the columns id and label, or JSON lines.

    Raises:
        UserError: it can't be read, or has no ids.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a file of labels") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not text in UTF-8; give CSV or JSON lines of id and label") from None
    labels: dict[str, str] = {}
    unlabelled = 0
    for one, label in _json_pairs(path, text) if text.lstrip().startswith("{") else _csv_pairs(path, text):
        if label == "":
            unlabelled += 1
        else:
            labels[one] = label
    if not labels:
        raise UserError(f"{path} holds no labels; expected id,label on each line, as `deployment traffic` keeps them")
    return labels, unlabelled


def upload_ground_truth(
    settings: Settings, target: Target, path: Path, capture_uri: str, ground_truth_uri: str, days: int, batch: bool
) -> GroundTruthUpload:
    """Upload the labels of captured inferences, each below the hour of its inference; doing it again changes nothing.

    capture_uri: of an endpoint, or with `batch` of transform jobs. days: how far back inferences are looked for.

    Raises:
        UserError: the file can't be used, or no inference of it was captured.
    """
    labels, unlabelled = read_labels(path)
    search = hours_of_batch_inferences if batch else hours_of_inferences
    hours = search(target, capture_uri, labels.keys(), datetime.now(UTC) - timedelta(days=days))
    unmatched = [one for one in labels if one not in hours]
    if not hours:
        raise UserError(
            f"none of the {len(labels)} ids in {path} was captured below {capture_uri} in the last {days} days, such "
            f"as {unmatched[0]!r}; captures come some minutes after their inferences: try later, or give --days"
        )
    by_hour = defaultdict(list)
    for one in sorted(hours):
        by_hour[hours[one]].append(one)
    uris = tuple(
        _put(settings, target, f"{ground_truth_uri}/{hour}", {one: labels[one] for one in ids})
        for hour, ids in sorted(by_hour.items())
    )
    return GroundTruthUpload(len(labels), len(hours), unlabelled, tuple(unmatched[:5]), uris)


def _put(settings: Settings, target: Target, folder_uri: str, labels: dict[str, str]) -> str:
    """Put an hour's labels under a name made of their content; its URI."""
    content = "".join(f"{json.dumps(_event(one, label), ensure_ascii=False)}\n" for one, label in labels.items())
    uri = f"{folder_uri}/{hashlib.sha256(content.encode()).hexdigest()[:16]}.jsonl"
    bucket, key = split_s3_uri(uri)
    target.s3.put_object(Bucket=bucket, Key=key, Body=content.encode(), **settings.security.object_encryption)
    return uri


def _event(one: str, label: str) -> dict[str, object]:
    """The form of "Ingest ground truth labels" in SageMaker's developer guide."""
    return {
        "groundTruthData": {"data": label, "encoding": "CSV"},
        "eventMetadata": {"eventId": one},
        "eventVersion": "0",
    }


def _csv_pairs(path: Path, text: str) -> Iterator[tuple[str, str]]:
    rows = csv.DictReader(io.StringIO(text))
    columns = rows.fieldnames or []
    if "id" not in columns or "label" not in columns:
        raise UserError(f"{path} has the columns {', '.join(columns) or 'none'}; it needs id and label")
    for row in rows:
        yield row["id"] or "", row["label"] or ""


def _json_pairs(path: Path, text: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                record = json.loads(line)
                label = record["label"]
                yield str(record["id"]), "" if label is None else str(label)
            except (ValueError, KeyError, TypeError):
                raise UserError(f'{path}: line {number} is not of the form {{"id": "...", "label": "..."}}') from None
