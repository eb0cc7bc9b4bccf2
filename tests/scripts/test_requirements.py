"""The container scripts run on what their containers hold, at the versions that everything here is tested with."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
REQUIREMENTS = [
    "processing_scripts/requirements.txt",
    "processing_scripts/requirements-quality.txt",
    "training_scripts/requirements.txt",
    "inference/requirements.txt",
]

SERVING_MODULES = {path.stem for path in (REPOSITORY / "inference").glob("*.py")}

# what the image holds, what requirements.txt adds, and what travels in the bundle
AVAILABLE = {
    "processing_scripts/preprocess.py": {"numpy", "pyarrow", "preprocessing"},
    "processing_scripts/preprocessing": {"numpy", "pyarrow", "preprocessing"},
    "processing_scripts/evaluate.py": {"numpy", "pyarrow", "lightgbm", "evaluation", "analyzer"},
    "processing_scripts/evaluation": {"numpy", "matplotlib", "boto3", "botocore", "evaluation", "analyzer"},
    "processing_scripts/quality_check.py": {"boto3", "analyzer"},
    "processing_scripts/monitor.py": {"boto3", "botocore", "window", "analyzer"},
    "processing_scripts/window": {"analyzer"},
    "training_scripts/train.py": {"numpy", "pyarrow", "sklearn", "lightgbm"},
    "inference": {"numpy", "pyarrow", "boto3", "lightgbm", "sagemaker_inference", *SERVING_MODULES},
}


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_to_the_lock_file(name):
    path = REPOSITORY / name
    wanted, locked = pins(path), pins(REPOSITORY / "requirements.lock")
    assert len(wanted) == len(path.read_text().splitlines()), "every line is a pin"
    assert wanted == {name: locked[name] for name in wanted}


@pytest.mark.parametrize("script", AVAILABLE)
def test_a_script_imports_only_what_its_container_holds(script):
    imported = {module.split(".")[0] for module in modules_imported_by(REPOSITORY / script)}
    assert imported - set(sys.stdlib_module_names) <= AVAILABLE[script]


METRICS = sorted((REPOSITORY / "analyzer" / "performance" / "metrics").glob("*.py"))


@pytest.mark.parametrize("name", ["__init__.py", "performance/__init__.py", *(f"metrics/{p.name}" for p in METRICS)])
def test_the_metrics_that_ship_with_evaluate_need_numpy_alone(name):
    folder = REPOSITORY / "analyzer" / ("performance" if name.startswith("metrics/") else "")
    imported = modules_imported_by(folder / name)
    others = {module for module in imported if module.split(".")[0] not in {*sys.stdlib_module_names, "numpy"}}
    assert all(module == "analyzer" or module.startswith("analyzer.performance.metrics") for module in others)


def modules_imported_by(path: Path) -> set[str]:
    sources = path.glob("*.py") if path.is_dir() else [path]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))]
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return named | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
