"""Loans that are gated for sex and age, which the model does not learn, from the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow

GERMAN_CREDIT = "examples/german-credit/settings.yaml"


@pytest.fixture(scope="module")
def trained(workplace: Workplace) -> dict[str, Any]:
    return workplace.run(settings=GERMAN_CREDIT)


def folder_of(workplace: Workplace, result: dict[str, Any]) -> Path:
    """Return the folder of an execution's outputs."""
    return workplace.object(result["ReportUri"]).parents[2]


def test_the_model_is_registered_with_the_bias_that_was_measured(workplace: Workplace, trained: dict[str, Any]) -> None:
    assert "are within the limits for sex female and age above 25" in trained["Verdict"]["sentence"]
    assert {"DataBias", "ModelBias"} <= set(trained["Baselines"])
    schema = json.loads((folder_of(workplace, trained) / "preprocess" / "schema" / "schema.json").read_text())
    assert not {"sex", "age"} & {feature["name"] for feature in schema["features"]}
    bias = trained["ModelPackage"]["metadata"]["bias"]
    assert bias.startswith("DI 0.")
    shown = workplace.pipelines("models", "--local", "--settings", GERMAN_CREDIT).stdout
    assert f"bias: {bias}" in " ".join(shown.split())


def test_clarifys_steps_measure_what_evaluate_measures(workplace: Workplace, trained: dict[str, Any]) -> None:
    folder = folder_of(workplace, trained)
    fairness = json.loads((folder / "evaluate" / "evaluation" / "summary.json").read_text())["fairness"]
    for stage, step in (("pre_training", "DataBias"), ("post_training", "ModelBias")):
        analysis = json.loads(workplace.object(f"{trained['Baselines'][step]}/analysis.json").read_text())
        facets = analysis[f"{stage}_bias_metrics"]["facets"]
        for group in fairness["facets"]:
            (facet,) = facets[group["column"]]
            measured = {metric["name"]: metric["value"] for metric in group[stage]["metrics"]}
            assert {metric["name"]: metric["value"] for metric in facet["metrics"]} == pytest.approx(
                measured, abs=1e-12
            )


def test_a_model_beyond_a_limit_is_refused_with_the_numbers(
    workplace: Workplace, trained: dict[str, Any], tmp_path: Path
) -> None:
    own = shutil.copytree(workplace.checkout / "examples" / "german-credit", tmp_path / "own") / "settings.yaml"
    own.write_text(own.read_text(encoding="utf-8").replace("DI: [0.8, 1.25]", "DI: [0.999, 1.001]"), encoding="utf-8")
    result = workplace.pipelines("run", "--local", "--settings", str(own))
    assert result.code == 1
    assert "QualityTooLow: The model is not registered: DI for sex female (" in result.stderr
    assert "and must be between 0.999 and 1.001" in result.stderr
    assert len(workplace.models(GERMAN_CREDIT)) == 1
