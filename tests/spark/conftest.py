from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
Analyse = Callable[..., Path]


@pytest.fixture(scope="session")
def java() -> None:
    """Fail without Java, because skipped tests would look like success."""
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and Path(home, "bin", "java").is_file())):
        pytest.fail(
            "Java is not installed: install Java 17 or newer, or set JAVA_HOME, to run the Spark tests", pytrace=False
        )


@pytest.fixture(scope="session")
def spark(java: None) -> Iterator[None]:
    """A cluster of two threads with blocks of 64 kB, so that small files are several tasks."""
    from pyspark.sql import SparkSession

    # The workers are separate processes, which need this Python and the packages of this checkout.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.files.maxPartitionBytes", 64 << 10)
        .config("spark.sql.files.openCostInBytes", 0)
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield
    session.stop()


def contract(source: Path, dataset_format: str, output: Path, variables: Mapping[str, object]) -> dict[str, str]:
    """Make the environment of an analysis."""
    return {
        "dataset_source": str(source),
        "dataset_format": dataset_format,
        "output_path": str(output),
        "publish_cloudwatch_metrics": "Disabled",
        **{name: str(value) for name, value in variables.items()},
    }


@pytest.fixture
def on_spark(spark: None, tmp_path: Path) -> Analyse:
    """Run an analysis on Spark and return its output folder."""
    from processing_scripts.analyze_quality_spark import analyse

    def run(source: Path, dataset_format: str, **variables: object) -> Path:
        analyse(contract(source, dataset_format, tmp_path / "on-spark", variables))
        return tmp_path / "on-spark"

    return run


@pytest.fixture
def on_one_machine(tmp_path: Path) -> Analyse:
    """Runs the same analysis in this process."""
    from analyzer.__main__ import run as analyse

    def run(source: Path, dataset_format: str, **variables: object) -> Path:
        analyse(contract(source, dataset_format, tmp_path / "on-one-machine", variables))
        return tmp_path / "on-one-machine"

    return run
