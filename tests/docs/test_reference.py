"""The generated reference is complete: every setting, parameter and command, each with its meaning."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from analyzer.bias.catalogue import POST_TRAINING_NAMES, PRE_TRAINING_NAMES
from project.paths import REPOSITORY
from project.settings import METRICS


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_hooks", REPOSITORY / "docs" / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(table: str) -> list[list[str]]:
    cells = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| `")]
    assert cells
    return cells


def test_every_setting_has_a_row_with_its_meaning(hooks: ModuleType) -> None:
    settings = rows(hooks.settings_table())
    assert {"`name`", "`data.split.strategy`", "`deployment.update.wait_seconds`", "`tuning.max_jobs`"} <= {
        row[0] for row in settings
    }
    assert [row[0] for row in settings if not row[-1].endswith(".")] == []


def test_the_metrics_of_every_problem_type_are_listed(hooks: ModuleType) -> None:
    table = hooks.metrics_table()
    assert [metric for metrics in METRICS.values() for metric in metrics if f"`{metric}`" not in table] == []


def test_every_metric_of_bias_is_listed_with_its_meaning(hooks: ModuleType) -> None:
    metrics = rows(hooks.bias_metrics_table())
    assert {row[0].strip("`") for row in metrics} == {*PRE_TRAINING_NAMES, *POST_TRAINING_NAMES}
    assert [row[0] for row in metrics if row[3] != "0"] == ["`DI`"]
    assert [row[0] for row in metrics if not row[2].endswith(".")] == []


def test_every_parameter_has_a_row_with_its_meaning(hooks: ModuleType) -> None:
    parameters = rows(hooks.parameters_table())
    assert {"`InputDataUri`", "`NumLeaves`", "`MaxTuningJobs`"} <= {row[0] for row in parameters}
    assert [row[0] for row in parameters if not row[-1].endswith(".")] == []


def test_every_command_is_listed(hooks: ModuleType) -> None:
    reference = hooks.commands_reference()
    for command in ("pipelines run", "deployment deploy", "monitoring schedule create", "analyzer baseline"):
        assert f"`python -m {command}`" in reference


def test_every_operation_of_sagemaker_is_implemented_or_counted(hooks: ModuleType) -> None:
    table = hooks.operations_tables()
    assert "| TransformJob | Create, Describe, List, Stop |" in table
    counted = [cells.split(" | ") for cells in table.partition("instead |\n")[2].splitlines()[1:]]
    implemented = int(table.partition(" are implemented")[0].rpartition(" ")[2])
    total = int(table.partition("Of ")[2].partition(" ")[0])
    assert implemented + sum(int(cells[1]) for cells in counted) == total


def test_services_step_types_and_images_are_listed(hooks: ModuleType) -> None:
    assert {"`s3`", "`lambda`", "`logs`"} <= {row[0] for row in rows(hooks.services_table())}
    tables = hooks.steps_and_images_tables()
    assert "`RegisterModel`" in tables
    assert ["`EMR`", "run the script in a Processing step with the Spark image (PySparkProcessor)"] in rows(tables)
    assert ["`sagemaker-spark-processing`", "processing"] in rows(tables)
