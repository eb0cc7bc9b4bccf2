"""The container scripts import only what their containers have, in the versions of the lock file."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
REQUIREMENTS = [
    "processing_scripts/requirements.txt",
    "processing_scripts/requirements-clarify.txt",
    "processing_scripts/requirements-quality.txt",
    "processing_scripts/requirements-spark.txt",
    "processing_scripts/requirements-track.txt",
    "training_scripts/requirements.txt",
    "inference/requirements.txt",
]

SERVING_MODULES = {path.stem for path in (REPOSITORY / "inference").glob("*.py")}

# The packages of the image and of requirements.txt, and the modules of the bundle.
AVAILABLE = {
    "processing_scripts/preprocess.py": {"numpy", "pyarrow", "preprocessing", "job_files", "analyzer"},
    "processing_scripts/preprocessing": {"duckdb", "numpy", "pyarrow", "preprocessing", "analyzer"},
    "processing_scripts/evaluate.py": {"numpy", "pyarrow", "lightgbm", "evaluation", "job_files", "analyzer"},
    "processing_scripts/evaluation": {"numpy", "pyarrow", "lightgbm", "boto3", "botocore", "evaluation", "analyzer"},
    "processing_scripts/find_model_package.py": {"boto3", "botocore", "job_files"},
    "processing_scripts/job_files.py": set(),
    "processing_scripts/find_champion.py": {"boto3", "botocore", "model_registry", "job_files"},
    "processing_scripts/model_registry.py": set(),
    "processing_scripts/quality_check.py": {"boto3", "model_registry", "analyzer"},
    "processing_scripts/clarify_check.py": {"boto3", "model_registry", "quality_check", "job_files", "analyzer"},
    "processing_scripts/preprocess_spark.py": {"preprocess", "preprocessing_spark", "spark_job"},
    "processing_scripts/preprocessing_spark": {"pyspark", "pyarrow", "preprocessing"},
    "processing_scripts/quality_check_spark.py": {"pyspark", "quality_check", "spark_job", "job_files", "analyzer"},
    "processing_scripts/spark_job.py": {"pyspark", "job_files"},
    "processing_scripts/track.py": {"boto3", "botocore", "tracking", "job_files"},
    "processing_scripts/tracking": {"mlflow", "tracking"},
    "processing_scripts/monitor.py": {"window", "job_files", "analyzer"},
    "processing_scripts/window": {"boto3", "botocore", "window", "analyzer"},
    "training_scripts/train.py": {"numpy", "lightgbm", "training"},
    "training_scripts/training": {"numpy", "pyarrow", "scipy", "sklearn", "lightgbm", "training"},
    "inference": {"numpy", "pyarrow", "boto3", "lightgbm", "sagemaker_inference", "analyzer", *SERVING_MODULES},
}


def pins(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_requirements_are_pinned_to_the_lock_file(name):
    path = REPOSITORY / name
    wanted, locked = pins(path), pins(REPOSITORY / "requirements.lock")
    assert len(wanted) == len(path.read_text().splitlines()), "every line is a pin"
    if name == "processing_scripts/requirements-spark.txt":
        # pandas 3 needs NumPy 2, with which the image's PySpark does not work
        locked |= {"pandas": pins(REPOSITORY / "tests/spark/requirements.txt")["pandas"]}
    assert wanted == {name: locked[name] for name in wanted}


@pytest.mark.parametrize("script", AVAILABLE)
def test_a_script_imports_only_what_its_container_has(script):
    imported = {module.split(".")[0] for module in modules_imported_by(REPOSITORY / script)}
    assert imported - set(sys.stdlib_module_names) <= AVAILABLE[script]


ANALYZER = REPOSITORY / "analyzer"
SHIPPED = ["__init__.py", "performance/__init__.py", "reports/__init__.py", "reports/html.py"]
SHIPPED += [path.relative_to(ANALYZER).as_posix() for path in (ANALYZER / "performance" / "metrics").glob("*.py")]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_modules_of_the_analyzer_that_evaluate_ships_need_numpy_alone(name):
    imported = modules_imported_by(ANALYZER / name)
    others = {module for module in imported if module.split(".")[0] not in {*sys.stdlib_module_names, "numpy"}}
    assert all(module == "analyzer" or module.startswith("analyzer.performance.metrics") for module in others)


BIAS = ["values.py", "datasets/__init__.py", "datasets/conversion.py"]
BIAS += sorted(path.relative_to(ANALYZER).as_posix() for path in (ANALYZER / "bias").glob("*.py"))


@pytest.mark.parametrize("name", BIAS)
def test_the_modules_of_bias_that_evaluate_ships_need_the_libraries_of_the_image_alone(name):
    imported = modules_imported_by(ANALYZER / name)
    others = {module for module in imported if module.split(".")[0] not in sys.stdlib_module_names}
    ours = {module for module in others if module.split(".")[0] == "analyzer"}
    assert {module.split(".")[0] for module in others - ours} <= {"numpy", "pyarrow", "scipy", "sklearn"}
    shipped = {f"analyzer.{path.removesuffix('.py').replace('/', '.')}" for path in BIAS}
    assert ours <= {"analyzer", *shipped}


def modules_imported_by(path: Path) -> set[str]:
    sources = path.rglob("*.py") if path.is_dir() else [path]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))]
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return named | {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
