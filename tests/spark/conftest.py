from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
# as in the containers, the scripts import their modules by their own names
CODE = [str(REPOSITORY / "processing_scripts"), str(REPOSITORY)]
sys.path[:0] = CODE


@pytest.fixture(scope="session")
def java() -> None:
    """Fail without Java, because skipped tests would look like success."""
    home = os.environ.get("JAVA_HOME")
    if not (shutil.which("java") or (home and Path(home, "bin", "java").is_file())):
        pytest.fail("Java is not installed: install Java 17, or set JAVA_HOME, to run the Spark tests", pytrace=False)


@pytest.fixture(scope="session")
def spark(java: None) -> Iterator[object]:
    """A session with two threads."""
    from pyspark.sql import SparkSession

    # The workers are separate processes, which need this Python and the packages of this checkout.
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = os.pathsep.join(CODE)
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "3")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
