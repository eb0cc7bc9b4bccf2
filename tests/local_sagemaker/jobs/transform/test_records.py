"""Record processing of transform jobs, without a job: payloads, JSONPath, filters and joins."""

from __future__ import annotations

import csv
import io
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.jobs.transform.data_processing import DataProcessing, DataProcessingError
from local_sagemaker.jobs.transform.json_path import JsonPath, JsonPathError
from local_sagemaker.jobs.transform.payloads import payloads
from local_sagemaker.storage.transfers import ClientFault

RECORD = {"id": 7, "features": [1, 2, 3], "customer": {"name": "A", "city": "B"}, "odd'": 1}
COLUMNS = ["a", "b", "c", "d", "e", "f"]

lines = st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), min_size=1, max_size=30)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
    max_leaves=8,
)
# a carriage return at the end of a record is part of the newline
columns = st.lists(
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=5), min_size=1, max_size=5
)


def processing(
    kind: str = "application/jsonlines",
    *,
    split: str = "Line",
    assemble: str = "Line",
    accept: str | None = None,
    ids: bool = False,
    **options: str,
) -> DataProcessing:
    numbers = iter(range(1000))
    request = {
        "TransformInput": {"ContentType": kind, "SplitType": split},
        "TransformOutput": {"AssembleWith": assemble, **({"Accept": accept} if accept else {})},
        "DataProcessing": options,
        **({"DataCaptureConfig": {"GenerateInferenceId": True}} if ids else {}),
    }
    return DataProcessing(request, lambda: f"id-{next(numbers)}", "2026-11-21T10:00:00Z")


# payloads


@given(lines, st.sampled_from(["SingleRecord", "MultiRecord"]), st.integers(20, 60))
def test_payloads_joined_by_newlines_are_the_file(records: list[bytes], strategy: str, largest: int) -> None:
    file = b"".join(record + b"\n" for record in records)
    found = list(payloads(io.BytesIO(file), "Line", strategy, largest))
    assert b"\n".join(found) + b"\n" == file
    assert all(len(payload) <= largest for payload in found)


@given(lines, st.integers(20, 60))
def test_a_mini_batch_has_as_many_records_as_fit(records: list[bytes], largest: int) -> None:
    file = b"".join(record + b"\n" for record in records)
    found = list(payloads(io.BytesIO(file), "Line", "MultiRecord", largest))
    for payload, following in itertools.pairwise(found):
        assert len(payload) + 1 + len(following.split(b"\n")[0]) > largest


def test_single_records_are_lines_and_the_last_newline_is_optional() -> None:
    assert list(payloads(io.BytesIO(b"1,2\n3,4"), "Line", "SingleRecord", 10)) == [b"1,2", b"3,4"]
    assert list(payloads(io.BytesIO(b""), "Line", "MultiRecord", 10)) == []


def test_without_a_split_type_the_file_is_one_payload() -> None:
    assert list(payloads(io.BytesIO(b"1\n2\n"), "None", "MultiRecord", 4)) == [b"1\n2\n"]


@pytest.mark.parametrize(("split", "what"), [("Line", "record 2"), ("None", "the file")])
def test_a_record_that_exceeds_the_payload_limit_is_rejected_by_its_number(split: str, what: str) -> None:
    with pytest.raises(ClientFault, match=rf"{what}.* is larger than MaxPayloadInMB \(1 MB\)"):
        list(payloads(io.BytesIO(b"1\n" + b"x" * (1 << 20) + b"x\n"), split, "MultiRecord", 1 << 20))


# JSONPath


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("$", RECORD),
        ("$.id", 7),
        ("$['id']", 7),
        ("$.customer.city", "B"),
        ("$.customer.*", ["A", "B"]),
        ("$.features[*]", [1, 2, 3]),
        ("$.features[-1]", 3),
        ("$.features[0,2]", [1, 3]),
        ("$['id', 'customer']", {"id": 7, "customer": {"name": "A", "city": "B"}}),
        ("$.customer.['name','city']", {"name": "A", "city": "B"}),
        ('$["odd\'"]', 1),
    ],
)
def test_a_path_selects_what_the_developer_guide_says(path: str, selected: Any) -> None:
    assert JsonPath(path).select(RECORD) == selected


@pytest.mark.parametrize(
    ("path", "selected"),
    [
        ("$[1:]", "bcdef"),
        ("$[1:4]", "bcde"),  # "specifies the second through fifth columns"
        ("$[:5]", "abcdef"),  # "from the first column (index 0) through the sixth column"
        ("$[-2:]", "ef"),
        ("$[1:-1]", "bcdef"),
        ("$[:-2]", "abcde"),
        ("$[:]", "abcdef"),
        ("$[0,5:]", "af"),  # the example of the API reference
        ("$[ 0 , 2:3, -1 ]", "acdf"),
        ("$[0:1,4:]", "abef"),
    ],
)
def test_a_slice_includes_its_end(path: str, selected: str) -> None:
    assert JsonPath(path).select(COLUMNS) == list(selected)


@pytest.mark.parametrize(
    "path", ["", "id", "$.", "$..id", "$[", "$[]", "$[0,]", "$[0:2:1]", "$[?(@.a)]", "$['a]", "$[0] x"]
)
def test_an_invalid_path_is_rejected_by_name(path: str) -> None:
    with pytest.raises(JsonPathError, match="Invalid JsonPath"):
        JsonPath(path)


@pytest.mark.parametrize("path", ["$.none", "$.features[3]", "$.id.x", "$.id[0]", "$['id','none']", "$.features.x"])
def test_a_path_that_matches_nothing_is_an_error(path: str) -> None:
    with pytest.raises(JsonPathError, match="matches nothing"):
        JsonPath(path).select(RECORD)


@given(json_values)
def test_the_root_selects_everything(value: Any) -> None:
    assert JsonPath("$").select(value) == value


# filters and joins


@given(st.binary(), st.binary())
def test_bytes_are_unchanged_without_data_processing(payload: bytes, response: bytes) -> None:
    off = processing("image/png", InputFilter="$", OutputFilter="$", JoinSource="None")
    assert (off.request_body(payload), off.output(payload, response)) == (payload, response)


@given(st.lists(columns, min_size=1, max_size=5), columns)
def test_a_join_of_csv_appends_the_columns_of_the_output(records: list[list[str]], output: list[str]) -> None:
    joined = processing("text/csv", JoinSource="Input").output(to_csv(records), to_csv([output] * len(records)))
    assert from_csv(joined) == [[*record, *output] for record in records]


@given(st.lists(json_values, min_size=1, max_size=5), json_values)
def test_a_join_of_json_lines_adds_the_output_by_name(records: list[Any], output: Any) -> None:
    answers = "\n".join([json.dumps(output)] * len(records)).encode()
    joined = processing(JoinSource="Input").output("\n".join(map(json.dumps, records)).encode(), answers)
    assert [json.loads(line) for line in joined.split(b"\n")] == [
        {**(record if isinstance(record, dict) else {"SageMakerInput": record}), "SageMakerOutput": output}
        for record in records
    ]


def test_an_id_column_is_not_sent_to_the_model_and_is_joined_to_the_output() -> None:
    csv_records = processing("text/csv", InputFilter="$[1:]", JoinSource="Input", OutputFilter="$[0,-1]")
    assert csv_records.request_body(b'x,1,"2, 3"\ny,4,5') == b'1,"2, 3"\n4,5'
    assert csv_records.output(b'x,1,"2, 3"\ny,4,5', b"0.1\n0.2\n") == b"x,0.1\ny,0.2"
    json_records = processing(InputFilter="$.features", JoinSource="Input", OutputFilter="$['id','SageMakerOutput']")
    payload = b'{"id": "\xc3\xa9", "features": [1, 2.50]}'
    assert json_records.request_body(payload) == b"[1,2.5]"
    assert json_records.output(payload, b'{\n "label": 1\n}\n') == b'{"id":"\xc3\xa9","SageMakerOutput":{"label":1}}'


def test_a_single_column_is_written_as_a_row() -> None:
    assert processing("text/csv", InputFilter="$[1]").request_body(b"1,2\n3,4") == b"2\n4"


def test_a_json_file_without_split_type_is_one_record() -> None:
    whole = processing("application/json", split="None", assemble="None", JoinSource="Input")
    assert whole.output(b'{\n "key": 1\n}', b'{"label": 1}') == b'{"key":1,"SageMakerOutput":{"label":1}}'


def test_csv_columns_that_are_not_utf_8_are_preserved() -> None:
    assert processing("text/csv", InputFilter="$[1:]").request_body(b"id,M\xfcller") == b"M\xfcller"


def test_inference_id_and_time_are_added_after_the_filters() -> None:
    csv_records = processing("text/csv", ids=True, JoinSource="Input", OutputFilter="$[-1]")
    assert csv_records.output(b"1,2\n3,4", b"0.1\n0.2\n") == (
        b"0.1,id-0,2026-11-21T10:00:00Z\n0.2,id-1,2026-11-21T10:00:00Z"
    )
    added = '"SageMakerInferenceId":"id-0","SageMakerInferenceTime":"2026-11-21T10:00:00Z"}'
    assert processing(ids=True).output(b"{}", b'{"output": 0}').decode() == '{"output":0,' + added
    assert processing(ids=True).output(b"{}", b"0.5").decode() == '{"SageMakerOutput":0.5,' + added


@pytest.mark.parametrize(
    ("payload", "response", "fault"),
    [
        (b"1,2\n3,4", b"0.1", "2 records with 1 lines"),
        (b"1,2", b"0.1\n0.2", "1 records with 2 lines"),
        (b'1,"2', b"0.1", "the input is not CSV"),
        (b'1,"2\n3",4', b"0.1\n0.2", "columns that contain a newline"),
        (b"1,2", b'"0.1', "the model's response is not CSV"),
    ],
)
def test_mismatched_records_are_a_client_error(payload: bytes, response: bytes, fault: str) -> None:
    with pytest.raises(ClientFault, match=fault):
        processing("text/csv", JoinSource="Input").output(payload, response)


def test_a_missing_column_is_a_client_error() -> None:
    with pytest.raises(ClientFault, match=r"the path \$\[0,9\] matches nothing"):
        processing("text/csv", JoinSource="Input", OutputFilter="$[0,9]").output(b"1,2", b"3")


def test_the_error_for_invalid_json_does_not_show_the_data() -> None:
    with pytest.raises(ClientFault, match="the input is not JSON") as caught:
        processing(InputFilter="$.a").request_body(b"secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"kind": "application/x-npy", "JoinSource": "Input"}, "require the ContentType"),
        ({"kind": "text/csv", "accept": "application/json", "JoinSource": "Input"}, "must have the same format"),
        (
            {"kind": "text/csv", "assemble": "None", "JoinSource": "Input"},
            "requires SplitType Line and Asse",
        ),
        ({"kind": "text/csv", "InputFilter": "$.id"}, "text/csv has no names"),
        ({"InputFilter": "$[0:2:1]"}, "Invalid JsonPath"),
    ],
)
def test_invalid_data_processing_is_rejected_before_the_job_starts(more: dict[str, Any], fault: str) -> None:
    with pytest.raises(DataProcessingError, match=fault):
        processing(**more)


def to_csv(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def from_csv(text: bytes) -> list[list[str]]:
    return list(csv.reader(text.decode().split("\n")))
