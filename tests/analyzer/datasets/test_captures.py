"""Captured inferences as records: payloads, names, windows and malformed events."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer import QualityError
from analyzer.datasets import captures
from analyzer.datasets.dataset import Dataset
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.text_columns import parse_texts
from analyzer.window import Window

Write = Callable[[str, str | bytes], Path]
Event = Callable[..., dict[str, Any]]

INPUT = '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput"]}}'
OUTPUT = '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointOutput"]}}'
BOTH = '{"sagemakerCaptureJson": {"captureIndexNames": ["endpointInput", "endpointOutput"]}}'
BOTH_END = '{"sagemakerCaptureJson": {"output_columns_position": "END"}}'
MERGED = '{"sagemakerMergeJson": {"captureIndexNames": ["endpointOutput"]}}'


def lines(*events: dict[str, Any]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


def rows(
    source: Path, dataset_format: str, malformed: MalformedRecords | None = None, **options: Any
) -> list[dict[str, Any]]:
    dataset = Dataset.from_format(source, dataset_format, **options)
    return [row for batch in dataset.batches(malformed=malformed) for row in batch.to_pylist()]


def test_a_csv_payload_has_numbers_texts_and_missing_values(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("34,gold,1.5\n"), event('7,"x, y",\n')))
    assert rows(path, INPUT) == [{"_c0": 34, "_c1": "gold", "_c2": 1.5}, {"_c0": 7, "_c1": "x, y", "_c2": None}]


def test_quotes_and_all_line_endings_are_parsed_as_csv(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event('1,"a\n""b"""\r\n2,c\r3,d')))
    assert [(row["_c0"], row["_c1"]) for row in rows(path, INPUT)] == [(1, 'a\n"b"'), (2, "c"), (3, "d")]


def test_a_payload_may_contain_several_records(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("1,a\n2,b\n", '{"predictions": [0.5, 0.25]}')))
    assert rows(path, BOTH) == [
        {"_c0": 1, "_c1": "a", "endpointOutput_0": 0.5},
        {"_c0": 2, "_c1": "b", "endpointOutput_0": 0.25},
    ]


@pytest.mark.parametrize(
    "payload",
    [
        '{"age": 31, "plan": {"name": "gold"}}',
        '[{"age": 31, "plan": {"name": "gold"}}]',
        '{"instances": [{"age": 31, "plan": {"name": "gold"}}]}',
    ],
)
def test_json_objects_are_named_by_their_path_however_they_are_wrapped(
    payload: str, write: Write, event: Event
) -> None:
    assert rows(write("a.jsonl", lines(event(payload))), INPUT) == [{"age": 31, "plan.name": "gold"}]


def test_json_lists_are_records_without_names(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event('[[1, "a"], [2, null]]'), event('[3, "07"]')))
    assert rows(path, INPUT) == [{"_c0": 1, "_c1": "a"}, {"_c0": 2, "_c1": None}, {"_c0": 3, "_c1": "07"}]


def test_json_lines_are_captured_as_json_or_as_base64(write: Write, event: Event) -> None:
    payload = '{"age": 1}\n{"age": 2}\n'
    packed = base64.b64encode(payload.encode()).decode()
    path = write(
        "a.jsonl",
        lines(
            event(payload, input_encoding="JSON", input_type="application/jsonlines"),
            event(packed, input_encoding="BASE64", input_type="application/jsonlines; charset=utf-8"),
        ),
    )
    assert [row["age"] for row in rows(path, INPUT)] == [1, 2, 1, 2]


def test_base64_of_csv_is_read_by_its_content_type(write: Write, event: Event) -> None:
    packed = base64.b64encode(b"1,a\n").decode()
    path = write("a.jsonl", lines(event(packed, input_encoding="BASE64", input_type="text/csv")))
    assert rows(path, INPUT) == [{"_c0": 1, "_c1": "a"}]


def test_the_endpoints_response_becomes_columns(write: Write, event: Event) -> None:
    answer = {"predictions": [{"label": "yes", "probability": 0.83, "probabilities": {"no": 0.17, "yes": 0.83}}]}
    path = write("a.jsonl", lines(event("1", json.dumps(answer))))
    assert rows(path, OUTPUT) == [
        {
            "endpointOutput_label": "yes",
            "endpointOutput_probability": 0.83,
            "endpointOutput_probabilities.no": 0.17,
            "endpointOutput_probabilities.yes": 0.83,
        }
    ]


def test_unnamed_input_gets_the_baselines_names_and_unknown_output_is_ignored(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("31,gold", '{"predictions": [{"label": "yes"}]}')))
    assert rows(path, BOTH, known_names=["age", "plan"]) == [{"age": 31, "plan": "gold"}]
    assert rows(path, BOTH, known_names=["age", "plan", "endpointOutput_label"]) == [
        {"_c0": 31, "_c1": "gold", "endpointOutput_label": "yes"}
    ]


def test_output_and_input_together_get_the_baselines_names_in_the_configured_order(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("31,gold", "0.7", output_encoding="CSV")))
    assert rows(path, BOTH, known_names=["churn", "age", "plan"]) == [{"churn": 0.7, "age": 31, "plan": "gold"}]
    assert rows(path, BOTH_END, known_names=["age", "plan", "churn"]) == [{"age": 31, "plan": "gold", "churn": 0.7}]


def test_a_csv_request_may_have_a_header(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("plan,age\ngold,31\n"), event("22,basic")))
    found = rows(path, INPUT, known_names=["age", "plan"])
    assert {(row["age"], row["plan"]) for row in found} == {(31, "gold"), (22, "basic")}


def test_json_records_may_lack_keys_and_csv_and_json_may_be_mixed(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event('{"age": 1}'), event("2,gold"), event('{"plan": "basic"}')))
    found = rows(path, INPUT, known_names=["age", "plan"])
    assert sorted((row["age"] or 0, row["plan"] or "") for row in found) == [(0, "basic"), (1, ""), (2, "gold")]


def test_columns_of_merged_events_are_prefixed_with_their_origin(write: Write, event: Event) -> None:
    answer = '{"predictions": [{"label": "a"}, {"label": "b"}]}'
    path = write("a.jsonl", lines(event("1", answer) | {"groundTruthData": {"data": "a\na", "encoding": "CSV"}}))
    assert rows(path, MERGED) == [
        {"endpointOutput_label": "a", "groundTruthData_0": "a"},
        {"endpointOutput_label": "b", "groundTruthData_0": "a"},
    ]


def test_only_inferences_in_the_window_are_read_and_none_of_shadow_variants(write: Write, event: Event) -> None:
    shadow = event("4", time="2026-01-01T10:30:00Z")
    shadow["eventMetadata"]["invocationSource"] = "ShadowExperiment"
    events = [event(str(hour), time=f"2026-01-01T{hour:02}:00:00Z") for hour in (9, 10, 11, 12)]
    path = write("a.jsonl", lines(*events, shadow))
    window = Window(datetime(2026, 1, 1, 10, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert [row["_c0"] for row in rows(path, INPUT, window=window)] == [10, 11]
    later = Window(datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(QualityError, match=r"has no records from 2027-01-01 00:00:00.* check the window"):
        rows(path, INPUT, window=later)


def test_a_tree_of_hours_plain_and_gzip_is_one_dataset(write: Write, event: Event, tmp_path: Path) -> None:
    write("churn/AllTraffic/2026/01/31/23/a.jsonl", lines(event("1"), event("2")))
    write("churn/AllTraffic/2026/02/01/00/b.jsonl.gz", gzip.compress(lines(event("3")).encode()))
    assert [row["_c0"] for row in rows(tmp_path / "churn", INPUT)] == [1, 2, 3]


MALFORMED = [
    ("no JSON", "is not JSON"),
    ("[1]", "is a JSON list, not an object"),
    ("{}", "is not a captured inference: it has no 'captureData'"),
    ('{"captureData": {"endpointOutput": {"data": "1", "encoding": "CSV"}}}', "has no endpointInput"),
    ('{"captureData": {"endpointInput": {"encoding": "CSV"}}}', "has no payload in 'data'"),
    ('{"captureData": {"endpointInput": {"data": "", "encoding": "CSV"}}}', "has an empty payload"),
    ('{"captureData": {"endpointInput": {"data": "1,2\\n3", "encoding": "CSV"}}}', "records with 1 to 2 values"),
    (json.dumps({"captureData": {"endpointInput": {"data": '"' + "x" * 2_000_000, "encoding": "CSV"}}}), "is not CSV"),
    ('{"captureData": {"endpointInput": {"data": "{", "encoding": "JSON"}}}', "neither JSON nor JSON lines"),
    ('{"captureData": {"endpointInput": {"data": "[1, {}]", "encoding": "JSON"}}}', "objects and other values"),
    (
        '{"captureData": {"endpointInput": {"data": "x", "encoding": "XML"}}}',
        "encoding 'XML'; supported are CSV, JSON and BASE64",
    ),
    (
        json.dumps({"captureData": {"endpointInput": {"data": "[" * 99_999, "encoding": "JSON"}}}),
        "a payload that is nested too deeply",
    ),
    ("[" * 99_999, "is nested too deeply"),
    (
        '{"captureData": {"endpointInput": {"data": "?", "encoding": "BASE64", "observedContentType": "text/csv"}}}',
        "not UTF-8 text in BASE64",
    ),
    (
        '{"captureData": {"endpointInput": {"data": "", "encoding": "BASE64", "observedContentType": "image/png"}}}',
        "BASE64 payload of content type 'image/png'",
    ),
]


@pytest.mark.parametrize(("line", "reason"), MALFORMED)
def test_a_malformed_line_is_counted_sampled_and_skipped_or_fails_with_its_position(
    line: str, reason: str, write: Write, event: Event
) -> None:
    path = write("a.jsonl", lines(event("1")) + line + "\n" + lines(event("2")))
    malformed = MalformedRecords(limit=1)
    assert [row["_c0"] for row in rows(path, INPUT, malformed)] == [1, 2]
    (sample,) = malformed.summary().samples
    assert (malformed.count, sample.file, sample.line, sample.excerpt) == (1, str(path), 2, line[:120])
    assert reason in sample.reason
    with pytest.raises(QualityError, match=r"a\.jsonl line 2 ") as caught:
        rows(path, INPUT)
    assert reason in str(caught.value)


def test_too_many_malformed_lines_fail_with_the_position_and_the_next_move(write: Write, event: Event) -> None:
    path = write("a.jsonl", "x\n" + lines(event("1")) + "y\nz\n")
    with pytest.raises(
        QualityError, match=r"a\.jsonl line 4 .*this is malformed record 3, and malformed_records_limit is 2"
    ):
        rows(path, INPUT, MalformedRecords(limit=2))


def test_if_no_line_can_be_read_the_first_reason_is_reported(write: Write) -> None:
    path = write("a.jsonl", "a,b\n1,2\n")
    with pytest.raises(
        QualityError, match=r"no records that can be read; the first of 2 malformed ones, .*:1, is not JSON"
    ):
        rows(path, INPUT, MalformedRecords(limit=9))


def test_huge_numbers_booleans_and_unpaired_surrogates_are_read(write: Write, event: Event) -> None:
    path = write(
        "a.jsonl",
        lines(
            event('{"n": 123456789012345678901234567890, "b": true, "t": "\\ud83d", "f": NaN}'),
            event("x\ud83d,1", input_encoding="CSV"),
        ),
    )
    found, other = rows(path, INPUT)
    assert found["n"] == 123456789012345678901234567890.0
    assert (found["b"], found["t"], other) == ("true", "?", {"_c0": "x?", "_c1": 1})


def test_unequal_numbers_of_records_in_input_and_output_are_malformed(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("1\n2", '{"predictions": [1]}')))
    with pytest.raises(QualityError, match="has 2 records in endpointInput and 1 records in endpointOutput"):
        rows(path, BOTH)


def test_an_inference_without_a_time_is_malformed_if_there_is_a_window(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("1", time="yesterday")))
    with pytest.raises(QualityError, match=r"no valid time in eventMetadata.inferenceTime \('yesterday'\)"):
        rows(path, INPUT, window=Window(datetime(2026, 1, 1, tzinfo=UTC)))


def test_no_message_contains_the_content_of_a_record(write: Write, event: Event) -> None:
    card = "4111-1111"
    path = write("a.jsonl", lines(event(f'{{"card": "{card}"', input_encoding="JSON")) + f'{{"{card}\n')
    malformed = MalformedRecords(limit=2)
    with pytest.raises(QualityError) as caught:
        rows(path, INPUT, malformed)
    assert malformed.count == 2
    assert card not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=20), size=st.integers(1, 9))
def test_every_record_is_read_once_for_any_batch_size(
    counts: list[int], size: int, event: Event, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    events = [event("".join(f"{number}.{part}\n" for part in range(count))) for number, count in enumerate(counts)]
    path.write_text(lines(*events))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(captures, "BATCH_ROWS", size)
        found = [row["_c0"] for row in rows(path, INPUT)]
    assert found == [float(f"{number}.{part}") for number, count in enumerate(counts) for part in range(count)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"captureIndexNames": ["input"]},
            "invalid captureIndexNames input; use endpointInput, endpointOutput or both",
        ),
        ({"output_columns_position": "LEFT"}, "invalid output_columns_position 'LEFT'; use START or END"),
    ],
)
def test_an_unknown_option_is_rejected(options: dict[str, Any], message: str, write: Write) -> None:
    with pytest.raises(QualityError, match=message):
        Dataset.from_format(write("a.jsonl", ""), json.dumps({"sagemakerCaptureJson": options}))


def test_an_empty_folder_and_a_truncated_gzip_are_rejected_by_name(write: Write, event: Event, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(QualityError, match="empty contains no files; check the path"):
        rows(tmp_path / "empty", INPUT)
    path = write("a.jsonl.gz", gzip.compress(lines(*[event("1")] * 100).encode())[:-9])
    with pytest.raises(QualityError, match=r"a\.jsonl\.gz is a damaged gzip file"):
        rows(path, INPUT)


@pytest.mark.parametrize("as_text", [False, True])
def test_a_column_without_values_has_no_type(as_text: bool) -> None:
    column = parse_texts(["", "nan", ""], as_text)
    assert column.type == pa.null()
    assert len(column) == column.null_count == 3


@pytest.mark.parametrize("header", ["\ufeffage,plan", " age ,\tplan"], ids=["byte order mark", "blanks"])
def test_a_header_with_a_byte_order_mark_or_blanks_is_no_record(write: Write, event: Event, header: str) -> None:
    path = write("a.jsonl", lines(event(f"{header}\n20,basic\n")))
    assert rows(path, INPUT, known_names=("age", "plan")) == [{"age": 20, "plan": "basic"}]


def test_a_header_with_duplicate_names_is_malformed(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("age,age\n1,2\n")))
    with pytest.raises(QualityError, match="has a header with duplicate names"):
        rows(path, INPUT, known_names=("age", "plan"))


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085"])
def test_line_separators_of_unicode_do_not_end_a_json_line(write: Write, event: Event, separator: str) -> None:
    text = f'{{"note": "a{separator}b"}}\r\n{{"note": "c"}}\n'
    path = write("a.jsonl", lines(event(text, input_type="application/jsonlines")))
    assert rows(path, INPUT) == [{"note": f"a{separator}b"}, {"note": "c"}]


def test_objects_without_values_are_records(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("{}"), event("[{}, {}]")))
    assert rows(path, INPUT) == [{}, {}, {}]
    assert rows(path, INPUT, known_names=("age", "plan")) == [{"age": None, "plan": None}] * 3
