"""Users' scripts: preprocessing of captures, JSON and CSV, and postprocessing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analyzer import QualityError, container
from analyzer.datasets.dataset import Dataset
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.datasets.preprocessor import Preprocessor
from analyzer.scripts import postprocess

Write = Callable[[str, str | bytes], Path]
Event = Callable[..., dict[str, Any]]

CAPTURES = '{"sagemakerCaptureJson": {}}'
MERGED = '{"sagemakerMergeJson": {}}'


def rows(
    source: Path, dataset_format: str, script: Path, malformed: MalformedRecords | None = None
) -> list[dict[str, Any]]:
    dataset = Dataset.from_format(source, dataset_format, preprocessor=Preprocessor.load(script))
    return [row for batch in dataset.batches(malformed=malformed) for row in batch.to_pylist()]


def lines(*events: dict[str, Any]) -> str:
    return "".join(json.dumps(event) + "\n" for event in events)


# The example in AWS's documentation, with other column names.
DOCUMENTED = """
def preprocess_handler(inference_record):
    input_data = inference_record.endpoint_input.data
    output_data = inference_record.endpoint_output.data.rstrip("\\n")
    data = output_data + "," + input_data
    return {f"_{index}": cell for index, cell in enumerate(data.split(","))}
"""


def test_the_documented_script_flattens_a_capture(write: Write, event: Event) -> None:
    path = write("a.jsonl", lines(event("1,gold", "0.5\n", output_encoding="CSV")))
    assert rows(path, CAPTURES, write("pre.py", DOCUMENTED)) == [{"_0": "0.5", "_1": "1", "_2": "gold"}]


def test_a_script_may_return_a_record_a_list_or_nothing(write: Write, event: Event) -> None:
    script = """
import json
def preprocess_handler(inference_record):
    wanted = json.loads(inference_record.endpoint_input.data)
    return {"none": None, "empty": {}, "one": {"x": 1}, "two": [{"x": 2}, {"x": 3}], "no": []}[wanted]
"""
    requests = [event(json.dumps(kind), input_encoding="JSON") for kind in ("none", "one", "empty", "two", "no")]
    path = write("a.jsonl", lines(*requests))
    assert [row["x"] for row in rows(path, CAPTURES, write("pre.py", script))] == [1, 2, 3]


def test_a_script_gets_metadata_and_ground_truth_and_optionally_a_logger(
    write: Write, event: Event, caplog: pytest.LogCaptureFixture
) -> None:
    script = """
def preprocess_handler(inference_record, logger):
    logger.warning("seen")
    return {
        "id": inference_record.event_metadata["eventId"],
        "endpointOutput_prediction": float(inference_record.endpoint_output.data),
        "groundTruthData_0": float(inference_record.ground_truth.data),
        "encoding": inference_record.endpoint_output.encoding,
    }
"""
    path = write("a.jsonl", lines(event("1", "2.5") | {"groundTruthData": {"data": "2", "encoding": "CSV"}}))
    assert rows(path, MERGED, write("pre.py", script)) == [
        {"id": "1", "endpointOutput_prediction": 2.5, "groundTruthData_0": 2.0, "encoding": "JSON"}
    ]
    assert "seen" in caplog.text


def test_csv_reaches_a_script_line_by_line_without_the_header_and_json_as_an_object(write: Write) -> None:
    csv_script = write("csv.py", 'def preprocess_handler(line):\n    return {"n": len(line), "first": line[0]}\n')
    path = write("data.csv", "a,b\n1,22\n3,4\r\n")
    assert rows(path, '{"csv": {"header": true}}', csv_script) == [{"n": 4, "first": "1"}, {"n": 3, "first": "3"}]
    json_script = write("json.py", 'def preprocess_handler(record):\n    return {"sum": sum(record["x"])}\n')
    assert rows(write("data.jsonl", '{"x": [1, 2]}\n'), '{"json": {"lines": true}}', json_script) == [{"sum": 3}]


def test_an_exception_of_a_script_makes_the_record_malformed_and_reports_the_scripts_line(
    write: Write, event: Event
) -> None:
    script = write("pre.py", 'def preprocess_handler(record):\n    return {"x": int(record.endpoint_input.data)}\n')
    path = write("a.jsonl", lines(event("1"), event("secret"), event("3")))
    malformed = MalformedRecords(limit=1)
    assert [row["x"] for row in rows(path, CAPTURES, script, malformed)] == [1, 3]
    assert malformed.samples[0].reason == "made preprocess_handler raise ValueError at line 2"
    with pytest.raises(QualityError, match=r"a\.jsonl line 2 made preprocess_handler raise ValueError"):
        rows(path, CAPTURES, script)


def test_another_return_value_of_a_script_is_rejected(write: Write, event: Event) -> None:
    script = write("pre.py", "def preprocess_handler(record):\n    return 7\n")
    with pytest.raises(QualityError, match="return something other than a record, a list of records or None"):
        rows(write("a.jsonl", lines(event("1"))), CAPTURES, script)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no function preprocess_handler"),
        ("preprocess_handler = 1", "has no function preprocess_handler"),
        ("def preprocess_handler(:", r"cannot be loaded \(SyntaxError"),
        ("import no_such_module", r"cannot be loaded \(ModuleNotFoundError"),
    ],
)
def test_an_unusable_script_is_rejected_before_the_data_is_read(content: str, message: str, write: Write) -> None:
    with pytest.raises(QualityError, match=rf"pre\.py {message}"):
        Preprocessor.load(write("pre.py", content))
    with pytest.raises(QualityError, match=r"absent\.py is not a Python file; set record_preprocessor_script"):
        Preprocessor.load(Path("absent.py"))
    with pytest.raises(QualityError, match="has no function postprocess_handler; define it"):
        postprocess(write("post.py", "x = 1"))


def test_parquet_does_not_support_a_preprocessing_script(write: Write) -> None:
    with pytest.raises(QualityError, match="record_preprocessor_script does not support Parquet"):
        Dataset.from_format(
            write("a.parquet", b"PAR1"),
            '{"parquet": {}}',
            preprocessor=Preprocessor.load(write("pre.py", DOCUMENTED)),
        )


def test_both_scripts_run_in_an_analysis_and_postprocessing_after_the_files_are_written(
    write: Write, event: Event, tmp_path: Path
) -> None:
    seen = tmp_path / "seen.txt"
    post = write(
        "post.py",
        f"from pathlib import Path\n"
        f"def postprocess_handler():\n"
        f"    Path({str(seen)!r}).write_text(str(Path({str(tmp_path / 'out' / 'statistics.json')!r}).exists()))\n",
    )
    environment = {
        "dataset_source": write("a.jsonl", lines(event("1,gold", "0.5", output_encoding="CSV"))),
        "dataset_format": CAPTURES,
        "output_path": tmp_path / "out",
        "record_preprocessor_script": write("pre.py", DOCUMENTED),
        "post_analytics_processor_script": post,
    }
    container.run({name: str(value) for name, value in environment.items()})
    assert seen.read_text() == "True"
    names = [item["name"] for item in json.loads((tmp_path / "out" / "statistics.json").read_text())["features"]]
    assert names == ["_0", "_1", "_2"]


def test_a_failing_postprocess_handler_fails_the_run(write: Write, tmp_path: Path) -> None:
    environment = {
        "dataset_source": write("data.csv", "x\n1\n"),
        "dataset_format": '{"csv": {"header": true}}',
        "output_path": tmp_path / "out",
        "post_analytics_processor_script": write("post.py", "def postprocess_handler():\n    1 / 0\n"),
    }
    with pytest.raises(QualityError, match=r"post\.py: postprocess_handler failed \(ZeroDivisionError"):
        container.run({name: str(value) for name, value in environment.items()})
