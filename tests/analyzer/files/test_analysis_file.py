"""Analyses are written and read back without loss, except for the baseline, which can be passed again."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from analyzer import QualityError
from analyzer.analysis import Analysis, DataQuality, ModelQuality
from analyzer.analyzer import analyze
from analyzer.files import analysis_file
from analyzer.settings import Settings

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Analysis]:
    """Return a function that analyzes a CSV file into a folder below tmp_path."""

    def run_analysis(source: Path, output: str, **variables: object) -> Analysis:
        environment = {
            "dataset_source": str(source),
            "dataset_format": '{"csv": {"header": true}}',
            "output_path": str(tmp_path / output),
            **{name: str(value) for name, value in variables.items()},
        }
        return analyze(Settings.from_environment(environment, datetime(2026, 1, 31, tzinfo=UTC)))

    return run_analysis


Run = Callable[..., Analysis]


def test_a_data_quality_analysis_survives_a_round_trip_through_its_files(
    write: Write, run: Run, tmp_path: Path
) -> None:
    first = run(write("train.csv", "age,plan\n" + "31,a\n17,b\n" * 50), "baseline")
    assert isinstance(first.result, DataQuality)
    assert (first.violation_count, first.result.drift) == (None, ())
    edited = json.loads((tmp_path / "baseline" / "constraints.json").read_text())
    overrides = {"datatype_check_threshold": 0.5, "distribution_constraints": {"comparison_threshold": 0.9}}
    edited["features"][0]["monitoring_config_overrides"] = overrides
    statistics = tmp_path / "baseline" / "statistics.json"
    found = run(
        write("now.csv", "age,plan\n" + "99,a\n" * 50 + "1\n"),
        "check",
        baseline_statistics=statistics,
        baseline_constraints=write("edited.json", json.dumps(edited)),
        sagemaker_monitoring_schedule_name="hourly",
        start_time_offset="-P1D",
    )
    assert isinstance(found.result, DataQuality)
    assert (found.name, found.skipped.count) == ("hourly", 1)
    # The feature's own threshold is applied, written and read back.
    assert found.result.drift[0].threshold == 0.9 or found.result.drift[1].threshold == 0.9
    read = analysis_file.read(tmp_path / "check", statistics)
    assert isinstance(read.result, DataQuality)
    assert read.result.drift == found.result.drift
    assert read.result.violations == found.result.violations
    assert read.result.constraints == found.result.constraints
    assert read.result.constraints.features[0].overrides == {
        "datatype_check_threshold": 0.5,
        "comparison_threshold": 0.9,
    }
    assert read.result.baseline == found.result.baseline
    assert replace(read, result=found.result) == found
    assert analysis_file.read(tmp_path / "check").result.baseline is None


def test_a_model_quality_analysis_survives_a_round_trip_through_its_files(
    write: Write, run: Run, tmp_path: Path
) -> None:
    model = {
        "analysis_type": "MODEL_QUALITY",
        "problem_type": "Regression",
        "inference_attribute": "p",
        "ground_truth_attribute": "y",
    }
    run(write("first.csv", "p,y\n" + "1.5,1\n2,2\n" * 150), "baseline", **model)
    statistics, constraints = (tmp_path / "baseline" / name for name in ("statistics.json", "constraints.json"))
    found = run(
        write("second.csv", "p,y\n3.5,1\n2,2\n"),
        "check",
        **model,
        baseline_statistics=statistics,
        baseline_constraints=constraints,
    )
    assert isinstance(found.result, ModelQuality)
    mae = next(metric for metric in found.result.metrics if metric.name == "mae")
    assert (mae.value, mae.standard_deviation, mae.baseline, mae.threshold) == (1.25, None, 0.25, 0.25)
    assert mae.baseline_standard_deviation is not None
    assert mae.violated
    assert {metric.name for metric in found.result.metrics if metric.violated} == {
        violation.metric_name for violation in found.result.violations or ()
    }
    assert analysis_file.read(tmp_path / "check", statistics) == found


@pytest.mark.parametrize("content", ["{}", '{"analysis_type": "DATA_QUALITY"}', "[]"])
def test_a_file_that_is_not_an_analysis_is_rejected_by_name(content: str, write: Write) -> None:
    with pytest.raises(QualityError, match=r"analysis\.json (is not an analysis\.json|is not a JSON object)"):
        analysis_file.read(write("analysis.json", content).parent)
