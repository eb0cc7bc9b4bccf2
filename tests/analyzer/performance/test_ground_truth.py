"""Captures merged with ground truth: the label of an inference, and the counts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer import QualityError
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.performance.ground_truth import merge
from analyzer.performance.merge import Merge
from analyzer.window import Window

Write = Callable[[str, str | bytes], Path]
Event = Callable[..., dict[str, Any]]


def label(identity: str, data: str) -> dict[str, Any]:
    return {
        "groundTruthData": {"data": data, "encoding": "CSV"},
        "eventMetadata": {"eventId": identity},
        "eventVersion": "0",
    }


def lines(events: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def merged(path: Path) -> dict[str, tuple[str, str]]:
    """Return prediction and label of each merged record by its id."""
    found = [json.loads(line) for file in path.rglob("merged.jsonl") for line in file.read_text().splitlines()]
    return {
        event["eventMetadata"].get("inferenceId") or event["eventMetadata"]["eventId"]: (
            event["captureData"]["endpointOutput"]["data"],
            event["groundTruthData"]["data"],
        )
        for event in found
    }


def test_an_inference_is_matched_by_its_inference_id_else_by_its_event_id(
    write: Write, event: Event, tmp_path: Path
) -> None:
    captures = write(
        "captures.jsonl",
        lines([event(None, "0.1", identity="e1", inference_id="i1"), event(None, "0.2", identity="e2")]),
    )
    labels = write("labels.jsonl", lines([label("e1", "0"), label("i1", "1"), label("e2", "2")]))
    counts = merge(captures, labels, tmp_path / "merged")
    assert merged(tmp_path / "merged") == {"i1": ("0.1", "1"), "e2": ("0.2", "2")}
    assert counts == Merge(2, 3, 2, 0, 1, 0, 0)


def test_a_line_may_have_a_list_of_labels_as_awss_merge_job_reads_it(
    write: Write, event: Event, tmp_path: Path
) -> None:
    captures = write("captures.jsonl", lines([event(None, "0.1", identity="a"), event(None, "0.2", identity="b")]))
    labels = write("labels.jsonl", json.dumps([label("a", "0"), label("b", "1")]))
    assert merge(captures, labels, tmp_path / "merged").merged == 2
    assert merged(tmp_path / "merged") == {"a": ("0.1", "0"), "b": ("0.2", "1")}
    for line in (json.dumps([1]), "[" + json.dumps(label("a", "0"))):
        with pytest.raises(QualityError, match=r"labels\.jsonl"):
            merge(captures, write("labels.jsonl", line), tmp_path / "merged")


def test_the_last_label_and_the_latest_inference_are_used_and_missing_ones_counted(
    write: Write, event: Event, tmp_path: Path
) -> None:
    write(
        "captures/11.jsonl", lines([event(None, "late", identity="a", time="2026-01-01T11:00:00Z"), event(None, "b")])
    )
    write("captures/12.jsonl", lines([event(None, "early", identity="a", time="2026-01-01T10:00:00Z")]))
    write("labels/2026/01/01/11/x.jsonl", lines([label("a", "first"), label("z", "0")]))
    write("labels/2026/01/02/00/y.jsonl", lines([label("a", "last")]))
    counts = merge(tmp_path / "captures", tmp_path / "labels", tmp_path / "out")
    assert merged(tmp_path / "out") == {"a": ("late", "last")}
    assert counts == Merge(
        inferences=2,
        labels=2,
        merged=1,
        unlabelled=1,
        unmatched=1,
        duplicate_inferences=1,
        duplicate_labels=1,
    )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["merged.jsonl"]


def test_merged_records_have_the_captures_layout_and_replace_earlier_ones(
    write: Write, event: Event, tmp_path: Path
) -> None:
    hours = ("churn/AllTraffic/2026/01/31/11", "churn/AllTraffic/2026/01/31/12")
    for number, hour in enumerate(hours):
        write(f"captures/{hour}/a.jsonl", lines([event(None, "1", identity=str(number))]))
        write(f"captures/{hour}/b.jsonl", lines([event(None, "1", identity=f"{number}b")]))
    everything = lines([label(identity, "1") for identity in ("0", "0b", "1", "1b")])
    merge(tmp_path / "captures", write("labels.jsonl", everything), tmp_path / "merged")
    files = {f"{hour}/merged.jsonl": 2 for hour in hours}
    found = {path.relative_to(tmp_path / "merged").as_posix(): path for path in (tmp_path / "merged").rglob("*.jsonl")}
    assert {name: len(path.read_text().splitlines()) for name, path in found.items()} == files
    merge(tmp_path / "captures", write("labels.jsonl", lines([label("0", "1")])), tmp_path / "merged")
    assert list((tmp_path / "merged").rglob("*.jsonl")) == [tmp_path / "merged" / hours[0] / "merged.jsonl"]


def test_inferences_outside_the_window_leave_their_labels_unmatched(write: Write, event: Event, tmp_path: Path) -> None:
    events = [event(None, "1", identity=str(hour), time=f"2026-01-01T{hour}:00:00Z") for hour in (10, 11, 12)]
    captures = write("captures.jsonl", lines(events))
    labels = write("labels.jsonl", lines([label(str(hour), "1") for hour in (10, 11, 12)]))
    window = Window(datetime(2026, 1, 1, 11, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC))
    counts = merge(captures, labels, tmp_path / "merged", window)
    assert (counts.inferences, counts.merged, counts.unmatched) == (1, 1, 2)


IDS = st.integers(0, 9).map(str)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    inferences=st.lists(st.tuples(IDS, st.integers(0, 1000)), min_size=1, max_size=30, unique_by=lambda pair: pair[1]),
    labels=st.lists(st.tuples(IDS, st.integers(0, 99)), min_size=1, max_size=30, unique_by=lambda pair: pair[0]),
    seed=st.integers(0, 999),
)
def test_any_order_of_files_and_lines_gives_the_same_records(
    inferences: list[tuple[str, int]], labels: list[tuple[str, int]], seed: int, event: Event, tmp_path: Path
) -> None:
    """Times and labels are unique, so that the result is unambiguous."""
    latest = dict(sorted(inferences, key=lambda pair: pair[1]))
    expected = {key: (str(latest[key]), str(value)) for key, value in labels if key in latest}
    shuffled = random.Random(seed)  # noqa: S311 no secret depends on it
    events = [
        event(None, str(time), identity=identity, time=f"2026-01-01T00:{time // 60:02}:{time % 60:02}Z")
        for identity, time in inferences
    ]
    shuffled.shuffle(events)
    truths = [label(identity, str(value)) for identity, value in labels]
    shuffled.shuffle(truths)
    for name, items in (("captures", events), ("labels", truths)):
        cut = shuffled.randint(0, len(items))
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "1.jsonl").write_text(lines(items[:cut]))
        (tmp_path / name / "2.jsonl").write_text(lines(items[cut:]))
    counts = merge(tmp_path / "captures", tmp_path / "labels", tmp_path / "merged")
    assert merged(tmp_path / "merged") == expected
    assert counts.merged + counts.unlabelled == counts.inferences == len(latest)
    assert counts.merged + counts.unmatched == counts.labels == len(labels)
    assert counts.duplicate_inferences == len(inferences) - len(latest)


def test_outputs_of_batch_transforms_are_matched_by_their_generated_ids(write: Write, tmp_path: Path) -> None:
    answer = {"label": "no", "SageMakerInferenceId": "b", "SageMakerInferenceTime": "2026-01-01T11:00:00Z"}
    plain = {"SageMakerOutput": 0.5, "SageMakerInferenceId": "c", "SageMakerInferenceTime": "2026-01-01T11:00:00Z"}
    write("out/1.csv.out", '"yes, sir",0.9,a,2026-01-01T11:00:00Z\n')
    write("out/2.jsonl.out", lines([answer, plain]))
    labels = write("labels.jsonl", lines([label(identity, "1") for identity in "abc"]))
    window = Window(datetime(2026, 1, 1, 11, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert merge(tmp_path / "out", labels, tmp_path / "merged", window).merged == 3
    assert merged(tmp_path / "merged") == {
        "a": ('"yes, sir",0.9', "1"),
        "b": ('{"label": "no"}', "1"),
        "c": ("0.5", "1"),
    }
    for line in ('{"label": "no"}', "yes,0.9", "yes,a,yesterday"):
        bare = write("bare.out", line + "\n")
        with pytest.raises(QualityError, match=r"bare\.out line 1"):
            merge(bare, labels, tmp_path / "merged", window)


def test_malformed_lines_of_both_are_skipped_up_to_the_limit(write: Write, event: Event, tmp_path: Path) -> None:
    captures = write("captures.jsonl", lines([event(None, "1", identity="a")]) + "{\n")
    labels = write("labels.jsonl", lines([label("a", "1")]) + '{"groundTruthData": {}}\n')
    malformed = MalformedRecords(limit=2)
    assert merge(captures, labels, tmp_path / "merged", None, malformed).merged == 1
    assert malformed.count == 2
    with pytest.raises(QualityError, match=r"labels\.jsonl line 2 has no label in groundTruthData\.data"):
        merge(captures, labels, tmp_path / "other")
    assert not any((tmp_path / "other").iterdir())


def test_an_event_without_an_id_is_malformed(write: Write, event: Event, tmp_path: Path) -> None:
    captures = write("captures.jsonl", lines([event(None, "1") | {"eventMetadata": {}}]))
    labels = write("labels.jsonl", lines([label("a", "1")]))
    with pytest.raises(QualityError, match="has neither inferenceId nor eventId"):
        merge(captures, labels, tmp_path / "merged")
