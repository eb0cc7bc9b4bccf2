"""A PySpark step runs from its bundle by run_spark.sh, and smspark-submit on this machine behaves as in the image."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyspark", reason="the Spark tests have an environment of their own: make test-spark")

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.bundles import quality_check_spark_bundle

REPOSITORY = Path(__file__).parents[2]
SMSPARK_SUBMIT = REPOSITORY / "local_sagemaker" / "containers" / "in_container" / "smspark_submit.py"


@pytest.fixture
def container(java: None, tmp_path: Path) -> Path:
    """The /opt/ml of the first of two instances, with the image's commands in bin/."""
    for folder in ("bin", "config", "output", "code"):
        (tmp_path / folder).mkdir()
    cluster = {"current_host": "algo-1", "hosts": ["algo-2", "algo-1"]}
    (tmp_path / "config" / "resourceconfig.json").write_text(json.dumps(cluster))
    for name, command in (("smspark-submit", [sys.executable, str(SMSPARK_SUBMIT)]), ("python3", [sys.executable])):
        path = tmp_path / "bin" / name
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)
    return tmp_path


def run(container: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(container / "bin"), os.environ["PATH"]])
    # pip finds the requirements installed
    environment = {"PATH": path, "SAGEMAKER_BASE_DIR": str(container), "PIP_NO_INDEX": "1", **variables}
    if home := os.environ.get("JAVA_HOME"):
        environment["JAVA_HOME"] = home
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def submit(container: Path, program: str, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
    (container / "code" / "app.py").write_text(program)
    return run(container, "smspark-submit", *options, str(container / "code" / "app.py"), "argument", **variables)


def unpack_bundle(container: Path) -> Path:
    for path, data in quality_check_spark_bundle().files.items():
        target = container / "code" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.replace(b"/opt/ml", str(container).encode()))
    return container / "code" / "run_spark.sh"


def quality_check(container: Path) -> subprocess.CompletedProcess[str]:
    return run(
        container,
        *("/bin/bash", str(unpack_bundle(container)), "quality_check_spark.py"),
        *("--model-package-group", "group", "--skip-check", "true", "--fail-on-violation", "false"),
        dataset_source=str(container / "data"),
        dataset_format='{"parquet": {}}',
        output_path=str(container / "results"),
    )


def test_the_quality_check_runs_from_its_bundle_with_the_executors_modules_from_an_archive(container: Path) -> None:
    (container / "data").mkdir()
    for number in range(3):
        pq.write_table(pa.table({"a": [number, 1, 2]}), container / "data" / f"part-{number:05}.parquet")
    done = quality_check(container)
    assert done.returncode == 0, done.stderr
    statistics = json.loads((container / "results" / "statistics.json").read_text())
    assert statistics["dataset"]["item_count"] == 9
    assert (container / "output" / "message").read_text().startswith("Completed")


def test_a_failed_script_keeps_its_exit_message(container: Path) -> None:
    done = quality_check(container)
    assert done.returncode == 1
    assert "data does not exist" in (container / "output" / "message").read_text()


def test_other_instances_have_nothing_to_do(container: Path) -> None:
    cluster = {"current_host": "algo-2", "hosts": ["algo-1", "algo-2"]}
    (container / "config" / "resourceconfig.json").write_text(json.dumps(cluster))
    done = submit(container, "raise SystemExit(1)")
    assert (done.returncode, done.stdout) == (0, "On this machine, algo-1 runs all Spark tasks.\n")


def test_the_options_of_a_spark_processor_reach_the_application(container: Path) -> None:
    (container / "files").mkdir()
    (container / "files" / "shipped.py").write_text("value = 7")
    conf = container / "processing" / "input" / "conf"
    conf.mkdir(parents=True)
    setting = {"Classification": "spark-defaults", "Properties": {"spark.sql.shuffle.partitions": "5"}}
    (conf / "configuration.json").write_text(json.dumps([setting]))
    events = container / "events"
    options = ["--py-files", str(container / "files"), "--local-spark-event-logs-dir", str(events)]
    program = """
import sys
import shipped
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print(sys.argv[1:], shipped.value, spark.conf.get("spark.sql.shuffle.partitions"), spark.sparkContext.master)
"""
    done = submit(container, program, *options)
    assert done.stdout == "['argument'] 7 5 local[2]\n", done.stderr
    assert [*events.iterdir()]


def test_a_configuration_that_has_no_effect_here_is_refused(container: Path) -> None:
    conf = container / "processing" / "input" / "conf"
    conf.mkdir(parents=True)
    (conf / "configuration.json").write_text(json.dumps({"Classification": "yarn-site", "Properties": {}}))
    done = submit(container, "print('not reached')")
    assert done.returncode == 1
    assert done.stderr == ("configuration 'yarn-site' is not supported on this machine; use spark-defaults alone\n")


def test_the_exit_message_of_a_failed_application_is_the_image_s_own(container: Path) -> None:
    done = submit(container, "raise SystemExit(3)")
    assert done.returncode == 3
    assert (container / "output" / "message").read_text() == (
        "Algorithm Error: spark failed with a non-zero exit code: 3"
    )
