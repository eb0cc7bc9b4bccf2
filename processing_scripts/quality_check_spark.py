"""Run a data quality check on a Spark cluster: quality_check.py for a dataset in many Parquet files.

Environment, arguments, output files and exit status are those of quality_check.py. Each task profiles one file on its
instance; the driver merges the profiles, checks the constraints and writes the results. Counts, extremes, moments and
types are those of one instance; distributions are, within the error of the sketches.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from job_files import fail
from pyspark.sql import SparkSession
from quality_check import analyze, parse_arguments, set_baseline
from spark_job import keep_exit_message, start_session

from analyzer import NoRecords, QualityError
from analyzer.analyzer import profile_part
from analyzer.datasets.dataset import list_files
from analyzer.files.partial_profile import FORMAT, file_name
from analyzer.settings import Settings

PROFILES = json.dumps({FORMAT: {}})


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    set_baseline(options)
    environment = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="profiles-") as folder:
        # the folder's name becomes that of the analysis
        profiles = Path(folder, Path(environment["dataset_source"]).name)
        try:
            profile_on_spark(start_session("quality-check"), environment, profiles)
        except QualityError as error:
            fail(f"Failed: {error}")
        os.environ.update(dataset_source=str(profiles), dataset_format=PROFILES)
        return analyze(options)


def profile_on_spark(spark: SparkSession, environment: Mapping[str, str], folder: Path) -> None:
    """Write the partial profile of every file of the dataset into a folder.

    Raises:
        QualityError: The dataset has no files or no records, or a file cannot be read.
    """
    files = [str(path) for path in list_files(Path(environment["dataset_source"]))]
    # the analyzer's variables are in lower case; tasks need no baseline, which only the driver has downloaded
    settings = {name: value for name, value in environment.items() if name.islower() and "baseline" not in name}
    parts = spark.sparkContext.parallelize(files, len(files)).map(partial(profile_file, settings)).collect()
    for _, error in parts:
        if error:
            raise QualityError(error)
    if not any(profile for profile, _ in parts):
        raise NoRecords(f"{environment['dataset_source']} has no records; check whether the previous step wrote rows")
    folder.mkdir()
    for number, (profile, _) in enumerate(parts):
        if profile:
            (folder / file_name(f"{number:05}")).write_text(profile, encoding="utf-8")


def profile_file(environment: Mapping[str, str], path: str) -> tuple[str, str]:
    """Return a file's partial profile as JSON, empty without records, and the error message, empty without one.

    An error is returned because Spark would hide the message in a stack trace.
    """
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        try:
            settings = Settings.from_environment({**environment, "dataset_source": path, "output_path": folder})
            profile_part(settings, "part")
        except NoRecords:
            return "", ""
        except QualityError as error:
            return "", str(error)
        return Path(folder, file_name("part")).read_text(encoding="utf-8"), ""


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        keep_exit_message()
