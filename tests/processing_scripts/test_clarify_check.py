"""clarify_check.py: a baseline of bias, and its comparison with that of the latest approved model package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ARN = "arn:aws:sagemaker:us-east-1:111122223333:model-package/credit/3"
URI = "s3://bucket/executions/1/data-bias/analysis.json"
BASELINES = {"Bias": {"PreTrainingConstraints": {"S3Uri": URI}}}


class Runner:
    """Runs the script on loans of two groups."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        config = {
            "dataset_type": "application/x-parquet",
            "label": "repaid",
            "label_values_or_threshold": ["yes"],
            "facet": [{"name_or_index": "sex", "value_or_threshold": ["female"]}],
            "methods": {"pre_training_bias": {"methods": ["CI", "DPL"]}},
        }
        (folder / "analysis_config.json").write_text(json.dumps(config))
        (folder / "data").mkdir()

    def loans(self, repaid_by_women: int) -> None:
        """Write 100 loans of women, of whom so many are repaid, and 100 of men, of whom 80 are."""
        sex = ["female"] * 100 + ["male"] * 100
        repaid = ["yes" if row % 100 < (repaid_by_women, 80)[row // 100] else "no" for row in range(200)]
        pq.write_table(pa.table({"sex": sex, "repaid": repaid}), self.folder / "data" / "facets.parquet")

    def run(self, *arguments: str, skip: bool = True) -> int:
        import clarify_check

        given = {
            "--analysis": "data-bias",
            "--model-package-group": "credit",
            "--skip-check": str(skip),
            "--fail-on-violation": "true",
            "--config": self.folder / "analysis_config.json",
            "--dataset-dir": self.folder / "data",
            "--model": self.folder / "model.tar.gz",
            "--baseline-dir": self.folder / "baseline",
            "--output-dir": self.folder / "output",
        }
        return clarify_check.main([str(item) for pair in given.items() for item in pair] + [*arguments])

    @property
    def metrics(self) -> dict[str, float]:
        analysis = json.loads((self.folder / "output" / "analysis.json").read_text())
        (group,) = analysis["pre_training_bias_metrics"]["facets"]["sex"]
        return {metric["name"]: metric["value"] for metric in group["metrics"]}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def registry(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The registry that boto3 reads: one approved package, whose baseline is the runner's first output."""
    content: dict[str, Any] = {"packages": [{"ModelPackageArn": ARN}], "baselines": BASELINES}

    def download(bucket: str, key: str, path: str) -> None:
        assert f"s3://{bucket}/{key}" == URI
        Path(path).write_bytes((runner.folder / "output" / "analysis.json").read_bytes())

    client = SimpleNamespace(
        list_model_packages=lambda **_: {"ModelPackageSummaryList": content["packages"]},
        describe_model_package=lambda **_: {"DriftCheckBaselines": content["baselines"]},
        download_file=download,
    )
    monkeypatch.setitem(sys.modules, "boto3", SimpleNamespace(client=lambda *_, **__: client))
    return content


def test_a_skipped_check_writes_a_baseline_without_the_registry(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    runner.loans(repaid_by_women=75)
    assert runner.run() == 0
    assert runner.metrics["DPL"] == pytest.approx(0.05)
    assert not (runner.folder / "output" / "constraint_violations.json").exists()


def test_more_bias_than_in_the_approved_package_is_a_violation(runner: Runner, registry: dict[str, Any]) -> None:
    runner.loans(repaid_by_women=75)
    runner.run()
    runner.loans(repaid_by_women=40)
    assert runner.run(skip=False) == 3
    (violation,) = json.loads((runner.folder / "output" / "constraint_violations.json").read_text())["violations"]
    assert (violation["facet"], violation["metric_name"]) == ("sex", "DPL")
    # DPL may rise from 0.05 to 0.4 if that is within ten standard errors
    runner.loans(repaid_by_women=75)
    runner.run()
    runner.loans(repaid_by_women=40)
    assert runner.run("--metric-tolerance", "10", skip=False) == 0


def test_violations_need_not_fail_the_step(runner: Runner, registry: dict[str, Any]) -> None:
    runner.loans(repaid_by_women=75)
    runner.run()
    runner.loans(repaid_by_women=40)
    assert runner.run("--fail-on-violation", "false", skip=False) == 0
    assert (runner.folder / "output" / "constraint_violations.json").exists()


@pytest.mark.parametrize(
    ("packages", "baselines", "message"),
    [
        ([], BASELINES, "model package group 'credit' has no approved version; approve one, or skip the check"),
        ([{"ModelPackageArn": ARN}], {}, f"{ARN} has no data-bias baseline; approve a version that has one"),
    ],
)
def test_a_baseline_that_is_not_registered_is_named(
    runner: Runner, registry: dict[str, Any], packages: list[Any], baselines: dict[str, Any], message: str
) -> None:
    registry.update(packages=packages, baselines=baselines)
    runner.loans(repaid_by_women=75)
    with pytest.raises(SystemExit) as exit_:
        runner.run(skip=False)
    assert message in str(exit_.value)


def test_data_that_cannot_be_analyzed_fail_with_the_reason(runner: Runner) -> None:
    with pytest.raises(SystemExit) as exit_:
        runner.run()
    assert str(runner.folder / "data") in str(exit_.value)
