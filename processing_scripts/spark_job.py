"""The Spark session and the exit of a PySpark step; shipped with preprocess_spark.py and quality_check_spark.py.

SageMaker's Spark image runs the script on the first instance and executors on all of them, under YARN. Every instance
has a copy of the inputs, and SageMaker uploads the outputs of every instance, so tasks read and write local files.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from job_files import EXIT_MESSAGE
from pyspark.sql import SparkSession


def start_session(name: str) -> SparkSession:
    """Start a session in which no task runs twice, because a task that fails for its data would only fail again."""
    builder = (
        SparkSession.builder.appName(name)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.task.maxFailures", "1")
        .config("spark.speculation", "false")
    )
    session: SparkSession = builder.getOrCreate()
    session.sparkContext.setLogLevel("WARN")
    return session


def keep_exit_message() -> None:
    """Copy the ExitMessage for run_spark.sh, which restores it after a failure."""
    copy = os.environ.get("EXIT_MESSAGE_COPY")
    if copy and EXIT_MESSAGE.is_file():
        shutil.copyfile(EXIT_MESSAGE, Path(copy))
