"""Model Monitor's files: ours load in the SDK, and AWS's load here."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import QualityError
from analyzer.constraints.data_quality import Constraints, Violation, check, suggest
from analyzer.drift.comparison import MonitoringConfig
from analyzer.files import json_files
from analyzer.files.constraints_file import constraints_to_json, read_constraints, violations_to_json
from analyzer.files.statistics_file import read_statistics, statistics_to_json
from analyzer.profile.profile import Profile
from analyzer.profile.statistics import Statistics

Write = Callable[[str, str | bytes], Path]


def statistics(**columns: Any) -> Statistics:
    return Profile.from_batches([pa.RecordBatch.from_pydict(columns)]).statistics()


MIXED = statistics(
    age=[34, 7, None, 34], score=[0.5, 1.5, 2.5, 3.5], plan=["é", "b", "é", "b"], empty=pa.nulls(4, pa.null())
)


def test_statistics_have_the_documented_layout() -> None:
    document = statistics_to_json(MIXED)
    assert document["version"] == 0.0
    assert document["dataset"] == {"item_count": 4}
    age, score, plan, empty = document["features"]
    assert age["inferred_type"] == "Integral"
    numerical = age["numerical_statistics"]
    assert numerical["common"] == {"num_present": 3, "num_missing": 1}
    assert {"mean", "sum", "std_dev", "min", "max", "distribution"} < numerical.keys()
    kll = numerical["distribution"]["kll"]
    assert len(kll["buckets"]) == 10
    assert kll["buckets"][0] == {"lower_bound": 7.0, "upper_bound": 9.7, "count": 1}
    assert kll["sketch"] == {"parameters": {"c": 0.64, "k": 2048.0}, "data": ((7.0, 34.0, 34.0),)}
    assert score["inferred_type"] == "Fractional"
    assert plan["string_statistics"] == {
        "common": {"num_present": 4, "num_missing": 0},
        "distinct_count": 2,
        "distribution": {"categorical": {"buckets": [{"value": "b", "count": 2}, {"value": "é", "count": 2}]}},
    }
    assert empty["inferred_type"] == "Unknown"
    assert empty["string_statistics"]["common"] == {"num_present": 0, "num_missing": 4}


def test_constraints_have_the_documented_layout_and_defaults() -> None:
    assert constraints_to_json(suggest(MIXED)) == {
        "version": 0.0,
        "features": [
            {
                "name": "age",
                "inferred_type": "Integral",
                "completeness": 0.75,
                "num_constraints": {"is_non_negative": True},
            },
            {
                "name": "score",
                "inferred_type": "Fractional",
                "completeness": 1.0,
                "num_constraints": {"is_non_negative": True},
            },
            {
                "name": "plan",
                "inferred_type": "String",
                "completeness": 1.0,
                "string_constraints": {"domains": ["b", "é"]},
            },
            {"name": "empty", "inferred_type": "Unknown", "completeness": 0.0},
        ],
        "monitoring_config": {
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
                "categorical_comparison_threshold": 0.1,
                "categorical_drift_method": "LInfinity",
            },
        },
    }


COLUMN = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**62), 2**62)), min_size=1, max_size=20),
    st.lists(st.one_of(st.none(), st.floats(allow_nan=False)), min_size=1, max_size=20),
    st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=1, max_size=20),
)


@given(COLUMN)
def test_any_baseline_is_written_as_valid_json_read_back_and_met_by_its_own_data(values: list[Any]) -> None:
    current = statistics(x=values)
    documents = {
        "statistics.json": statistics_to_json(current),
        "constraints.json": constraints_to_json(suggest(current)),
    }
    with pytest.MonkeyPatch.context() as patch:
        texts = {name: json.dumps(document, allow_nan=False) for name, document in documents.items()}
        patch.setattr(Path, "read_text", lambda path, encoding: texts[path.name])
        baseline = read_statistics(Path("statistics.json"))
        constraints = read_constraints(Path("constraints.json"))
    assert constraints == suggest(current)
    assert check(current, constraints, baseline) == []
    assert statistics_to_json(baseline) == statistics_to_json(current)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # The SDK creates a client on import, and a client requires a region.
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    from sagemaker.core import model_monitor

    yield model_monitor


def test_the_files_load_in_the_sdks_own_classes(sdk: Any, tmp_path: Path) -> None:
    now = statistics(age=[1, None], score=[0.5, 1.5], plan=["é", "c"])
    json_files.write(
        tmp_path,
        {
            json_files.STATISTICS: statistics_to_json(now),
            json_files.CONSTRAINTS: constraints_to_json(suggest(now)),
            json_files.VIOLATIONS: violations_to_json(check(now, suggest(MIXED), MIXED)),
        },
    )
    loaded = {
        name: kind.from_file_path(str(tmp_path / name), sagemaker_session=MemorySession())
        for name, kind in (
            (json_files.STATISTICS, sdk.Statistics),
            (json_files.CONSTRAINTS, sdk.Constraints),
            (json_files.VIOLATIONS, sdk.ConstraintViolations),
        )
    }
    assert [item["name"] for item in loaded[json_files.STATISTICS].body_dict["features"]] == ["age", "score", "plan"]
    assert {item["constraint_check_type"] for item in loaded[json_files.VIOLATIONS].body_dict["violations"]} == {
        "completeness_check",
        "categorical_values_check",
        "missing_column_check",
    }
    constraints = loaded[json_files.CONSTRAINTS]
    constraints.set_monitoring(enable_monitoring=False, feature_name="plan")
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps(constraints.body_dict), encoding="utf-8")
    assert read_constraints(edited).features[2].overrides == {"evaluate_constraints": "Disabled"}


class MemorySession:
    """The part of a SageMaker session that the SDK's classes need to write files to S3 and read them."""

    default_bucket_prefix = None

    def __init__(self) -> None:
        self.objects: dict[str, str] = {}

    def default_bucket(self) -> str:
        return "bucket"

    def upload_string_as_file_body(self, body: str, bucket: str, key: str, kms_key: str | None) -> None:
        self.objects[key] = body

    def read_s3_file(self, bucket: str, key_prefix: str) -> str:
        return self.objects[key_prefix]


def edited(write: Write, change: dict[str, Any], overrides: dict[str, Any] | None = None) -> Constraints:
    document = constraints_to_json(suggest(statistics(x=[1, 2])))
    document["monitoring_config"].update(change)
    document["features"][0].update(overrides or {})
    return read_constraints(write("constraints.json", json.dumps(document)))


def test_edited_thresholds_and_overrides_apply_in_either_spelling(write: Write) -> None:
    inner = {"distribution_constraints": {"comparison_threshold": 0.3, "comparison_method": "linf_simple"}}
    assert edited(write, {"datatype_check_threshold": 0.5, **inner}).config == MonitoringConfig(
        datatype_check_threshold=0.5, comparison_threshold=0.3, comparison_method="Simple"
    )
    for spelling in ("monitoring_config_overrides", "monitoringConfigOverrides"):
        overrides = edited(write, {}, {spelling: {"datatype_check_threshold": 0.2, **inner}}).features[0].overrides
        assert MonitoringConfig().overridden(overrides) == MonitoringConfig(
            datatype_check_threshold=0.2, comparison_threshold=0.3, comparison_method="Simple"
        )


def test_absent_settings_have_defaults(write: Write) -> None:
    path = write("constraints.json", '{"features": [{"name": "x", "inferred_type": "Integral"}]}')
    constraints = read_constraints(path)
    assert constraints.config == MonitoringConfig()
    assert constraints.features[0].completeness == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"datatype_check_threshold": "1"},
            "datatype_check_threshold '1' in monitoring_config is not a number",
        ),
        (
            {"distribution_constraints": {"comparison_method": "KS"}},
            "unknown comparison_method 'KS' in .*; use one of Robust",
        ),
        (
            {"evaluate_constraints": False},
            "unknown evaluate_constraints False in monitoring_config; use one of Enabled",
        ),
    ],
)
def test_an_invalid_setting_is_rejected_with_the_file_and_the_value(
    write: Write, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(QualityError, match=rf"constraints\.json: {message}"):
        edited(write, change)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not valid JSON"),
        ("[1]", "is not a JSON object"),
        ('{"regression_constraints": {}}', "does not contain data quality constraints .'features' is missing"),
        ('{"features": 1}', "does not contain data quality constraints"),
        ('{"features": [{"name": "x"}]}', "'inferred_type' is missing"),
    ],
)
def test_a_file_of_another_kind_is_rejected(write: Write, content: str, message: str) -> None:
    with pytest.raises(QualityError, match=message):
        read_constraints(write("constraints.json", content))


def test_statistics_of_another_kind_or_place_are_rejected(write: Write, tmp_path: Path) -> None:
    with pytest.raises(QualityError, match=r"does not contain data quality statistics .'features' is missing"):
        read_statistics(write("statistics.json", '{"dataset": {"item_count": 1}}'))
    with pytest.raises(QualityError, match=r"absent\.json does not exist"):
        read_statistics(tmp_path / "absent.json")


def test_statistics_as_model_monitor_writes_them_can_be_read(write: Write) -> None:
    content = """
    {"version": 0.0, "dataset": {"item_count": 3}, "features": [
      {"name": "x", "inferred_type": "Fractional", "numerical_statistics": {
        "common": {"num_present": 3, "num_missing": 0}, "mean": 2.0, "sum": 6.0, "std_dev": 0.816, "min": 1.0,
        "max": 3.0, "distribution": {"kll": {"buckets": [], "sketch": {
          "parameters": {"c": 0.64, "k": 2048.0}, "data": [[1.0], [2.0]]}}}}},
      {"name": "s", "inferred_type": "String", "string_statistics": {
        "common": {"num_present": 3, "num_missing": 0}, "distinct_count": 2.0, "distribution": {"categorical": {
          "buckets": [{"value": "a", "count": 2}, {"value": "b", "count": 1}]}}}},
      {"name": "u", "inferred_type": "Unknown"}]}
    """
    read = read_statistics(write("statistics.json", content))
    numbers, strings = read.features[0].numbers, read.features[1].strings
    assert numbers is not None and numbers.sketch.cumulative()[1].tolist() == [1, 3]
    assert strings is not None and strings.counts == {"a": 2, "b": 1}
    assert read.features[2].present == 0


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    json_files.write(tmp_path, {"a.json": {"old": 1}})
    with pytest.raises(ValueError, match="JSON"):
        json_files.write(tmp_path, {"a.json": {"new": 1}, "b.json": {"x": math.nan}})
    assert {path.name: json.loads(path.read_text()) for path in tmp_path.iterdir()} == {"a.json": {"old": 1}}


def test_a_folder_that_cannot_be_made_is_rejected_by_name(write: Write) -> None:
    path = write("file", "")
    with pytest.raises(QualityError, match=r"cannot write to .*file.*; set output_path"):
        json_files.write(path, {"a.json": {}})


def test_violations_have_the_documented_layout() -> None:
    assert violations_to_json([Violation("x", "data_type_check", "words")]) == {
        "violations": [{"feature_name": "x", "constraint_check_type": "data_type_check", "description": "words"}]
    }
