"""A new model must beat the approved one: the same pipeline, three times."""

from __future__ import annotations

import pytest

from tests.stories.workplace import Workplace

pytestmark = pytest.mark.slow

SETTINGS = """\
name: contest
problem_type: BinaryClassification
data:
  input: {data}
  target_column: churned
  drop_columns: [customer_id]
quality:
  metric: auc
  threshold: 0.6
  champion: {{metric: log_loss, min_gain: 0.0}}
  segments: [contract_type]
"""


@pytest.fixture(scope="module")
def settings(workplace: Workplace) -> str:
    path = workplace.data_dir.parent / "contest.yaml"
    data = workplace.checkout / "examples" / "churn" / "data.csv"
    path.write_text(SETTINGS.format(data=data), encoding="utf-8")
    return str(path)


def test_the_first_model_has_no_champion_a_worse_one_is_refused_and_a_better_one_registered(
    workplace: Workplace, settings: str
) -> None:
    here = ("--local", "--settings", settings)
    few = ("--parameter", "NumBoostRound=30", "--parameter", "LearningRate=0.02")
    first = workplace.run(*few, settings=settings)
    assert first["NewVersionRegistered"]
    assert "no approved version yet" in workplace.pipelines("logs", "FindChampion", *here).stdout
    assert "no champion to compare with" in workplace.pipelines("logs", "Evaluate", *here).stdout
    assert workplace.pipelines("approve", "1", *here).code == 0

    worse = workplace.pipelines("run", *here, "--parameter", "NumBoostRound=2")
    assert worse.code == 1
    assert "of the champion, version 1: a gain of -0." in worse.stderr
    assert "the gain must be at least 0" in worse.stderr
    assert "the gain must be at least 0" in " ".join(worse.stdout.split()), "the summary has the verdict, too"

    better = workplace.run("--parameter", "NumBoostRound=200", settings=settings)
    assert better["NewVersionRegistered"]
    assert better["Verdict"]["passed"]
    assert [version["version"] for version in workplace.models(settings)] == [2, 1]

    unchanged = workplace.run(*few, settings=settings)
    assert not unchanged["NewVersionRegistered"], "the champion itself"

    compared = workplace.pipelines("compare", "1", "2", *here)
    assert compared.code == 0, compared.stderr
    assert "log_loss" in compared.stdout
