"""Analyze data quality on a Spark cluster, for datasets that are too large for one instance.

The environment variables (listed in analyzer/__main__.py), the output files and the results, apart from the error of
the sketches, are those of `python -m analyzer`. Each task profiles its part of the dataset with the analyzer's
readers and returns a partial profile; the driver merges these, checks the constraints and writes statistics.json,
constraints.json and constraint_violations.json. Differences:

  dataset_source       anything Spark can read: s3://bucket/prefix, hdfs://..., or a folder that all nodes share
  dataset_format       text files are split at line ends, so that a CSV field may contain a line break only in a file of
                       one block; all CSV files need the same header line
  record_preprocessor_script, ground_truth_source and analysis_type MODEL_QUALITY are not supported

  spark-submit --py-files analyzer.zip analyze_quality_spark.py [--fail-on-violation]

analyzer.zip contains the package analyzer. All nodes need Python 3.11 or newer, numpy, pyarrow 13 or newer,
datasketches, and pandas, which PySpark needs for Arrow; on SageMaker, use an image based on sagemaker-spark-processing
with these packages installed. Baselines and output_path are local to the driver, for example
/opt/ml/processing/input/baseline and /opt/ml/processing/output.

Exit status 0 if the analysis ran, 1 if it failed, and with --fail-on-violation 3 if there are violations.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from analyzer import QualityError
from analyzer.__main__ import EXIT_MESSAGE, FAIL_ON_VIOLATION, FAILED, VIOLATIONS, run
from analyzer.analysis import MODEL_QUALITY
from analyzer.datasets.conversion import to_supported_types
from analyzer.datasets.dataset import CSV, FORMATS, PARQUET, Dataset
from analyzer.datasets.malformed_records import MalformedRecords, Skipped
from analyzer.datasets.selection import Selection
from analyzer.files import json_files, partial_profile
from analyzer.files.constraints_file import read_constraints
from analyzer.files.statistics_file import read_statistics
from analyzer.profile.profile import Profile
from analyzer.schema import read_schema
from analyzer.settings import Settings

logger = logging.getLogger(__name__)

Work = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]

PROFILES = json.dumps({partial_profile.FORMAT: {}})
NOT_ON_SPARK = ("record_preprocessor_script", "ground_truth_source")
# A profile is several MB that the driver collects; two tasks per core balance tasks of different length.
TASKS_A_CORE = 2


def main() -> int:
    fail_on_violation = parse_arguments().fail_on_violation
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("py4j").setLevel(logging.WARNING)
    try:
        message, violations = analyse(dict(os.environ))
    except (QualityError, OSError) as error:
        _leave_message(f"Failed: {error}")
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    _leave_message(message)
    print(message)
    return VIOLATIONS if violations and fail_on_violation else 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(FAIL_ON_VIOLATION, action="store_true", help="exit with status 3 if there are violations")
    return parser.parse_args()


def analyse(environment: Mapping[str, str]) -> tuple[str, int]:
    """Profile on Spark, then merge, check and write on the driver.

    Returns:
        The exit message and the number of violations.

    Raises:
        QualityError: A setting is invalid, or the data cannot be read or analyzed; nothing is written.
    """
    settings = Settings.from_environment(environment)
    if settings.analysis_type == MODEL_QUALITY:
        raise QualityError(
            "model quality is not supported on Spark; run python -m analyzer model-quality on one instance"
        )
    for name in NOT_ON_SPARK:
        if environment.get(name):
            raise QualityError(f"{name} is not supported on Spark; unset it, or run python -m analyzer on one instance")
    # Not settings.dataset_source, a path, of which the two slashes of s3:// are one.
    source = environment["dataset_source"]
    with tempfile.TemporaryDirectory(prefix="profiles-") as folder:
        # The folder's name becomes that of the analysis.
        profiles = Path(folder, PurePosixPath(source).name or "dataset")
        json_files.write(profiles, profile_on_spark(source, _dataset(settings, Path(folder)), settings))
        return run({**environment, "dataset_source": str(profiles), "dataset_format": PROFILES})


def profile_on_spark(source: str, dataset: Dataset, settings: Settings) -> dict[str, dict[str, Any]]:
    """Profile the dataset; return one partial profile per task by file name, for `partial_profile.merge_partials`.

    A column with numbers in one part and text in another is read again as text, as on one instance.

    Raises:
        QualityError: The data cannot be read, has too many malformed records, or has no records.
    """
    spark = SparkSession.builder.appName("analyze-quality").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    as_text: frozenset[str] = frozenset()
    while True:
        parts = _pass(spark, source, dataset, as_text, settings.malformed_records_limit)
        numbers, texts = ({name for part in parts for name in part[kind]} for kind in ("numbers", "texts"))
        mixed = (numbers & texts) - as_text
        if not mixed:
            break
        logger.info("reading again as text: %s", ", ".join(sorted(mixed)))
        as_text |= mixed
    found = [part["profile"] for part in parts]
    if not sum(profile["records"] for profile in found):
        raise QualityError(f"{source} has no records; check the path and whether the previous step wrote rows")
    _check_limit(found, settings.malformed_records_limit)
    return {partial_profile.file_name(f"{number:05}"): profile for number, profile in enumerate(found)}


def _pass(
    spark: SparkSession, source: str, dataset: Dataset, as_text: frozenset[str], limit: int
) -> list[dict[str, Any]]:
    try:
        if dataset.format == PARQUET:
            rows = spark.read.option("recursiveFileLookup", True).option("mergeSchema", True).parquet(source)
            add = Rows(dataset, source, as_text).add
        else:
            rows = _lines(spark, source)
            header = _header(rows) if dataset.format == CSV and dataset.header else None
            add = Pieces(dataset, header, as_text, limit).add
        tasks = rows.coalesce(TASKS_A_CORE * spark.sparkContext.defaultParallelism)
        parts = [json.loads(row["part"]) for row in tasks.mapInArrow(_task(add), "part string").collect()]
    except (PySparkException, Py4JJavaError) as error:
        raise QualityError(
            f"Spark cannot analyze {source} ({_reason(error)}); check the source, its format and the executors' logs"
        ) from error
    for part in parts:
        if "error" in part:
            raise QualityError(part["error"])
    return parts


def _reason(error: Exception) -> str:
    """Extract Spark's message, without the stack traces of Java and of the Python worker."""
    lines = [line for line in str(error).split("JVM stacktrace")[0].splitlines() if line and not line[0].isspace()]
    return " ".join([line for line in lines if not line.startswith("Traceback")][:2])


def _lines(spark: SparkSession, source: str) -> DataFrame:
    """Read the lines as bytes, as they are in the file, with their file and block."""
    lines = spark.read.option("recursiveFileLookup", True).option("lineSep", "\n").text(source)
    return lines.select(
        F.col("value").cast("binary").alias("line"),
        F.col("_metadata.file_path").alias("file"),
        F.col("_metadata.file_block_start").alias("start"),
    )


def _header(lines: DataFrame) -> bytes | None:
    first = lines.where(F.col("start") == 0).first()
    return None if first is None else bytes(first["line"])


def _task(add: Callable[[Iterable[pa.RecordBatch], Profile, MalformedRecords], None]) -> Work:
    """Make a task, which adds its rows to a profile and returns the profile."""

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        profile, malformed = Profile(), MalformedRecords()
        try:
            add(batches, profile, malformed)
        except QualityError as error:
            # Returned, because Spark would retry the task three times and hide the message in a stack trace.
            yield _part({"error": str(error)})
            return
        yield _part(
            {
                "profile": partial_profile.to_json(profile, malformed.summary()),
                "numbers": [name for name, state in profile.columns.items() if state.numbers.count],
                "texts": [name for name, state in profile.columns.items() if state.texts.count],
            }
        )

    return work


def _part(document: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"part": [json.dumps(document, allow_nan=False)]})


@dataclass(frozen=True)
class Rows:
    """The rows of Parquet files, which have types."""

    dataset: Dataset
    source: str
    as_text: frozenset[str]

    def add(self, batches: Iterable[pa.RecordBatch], profile: Profile, malformed: MalformedRecords) -> None:
        """Add rows to the profile; none can be malformed."""
        for batch in batches:
            profile.update(self.dataset.conform(to_supported_types(batch, self.as_text, Path(self.source))))


@dataclass(frozen=True)
class Pieces:
    """The blocks of text files of one task, each written to a file for the analyzer's readers.

    Attributes:
        header: The first line of every file; None if the files have no header.
    """

    dataset: Dataset
    header: bytes | None
    as_text: frozenset[str]
    limit: int

    def add(self, batches: Iterable[pa.RecordBatch], profile: Profile, malformed: MalformedRecords) -> None:
        """Add records to the profile, and count those that are malformed."""
        with tempfile.TemporaryDirectory(prefix="lines-") as folder:
            for path, place in self._write(batches, Path(folder)):
                malformed.merge(self._profile(path, place, profile))

    def _write(self, batches: Iterable[pa.RecordBatch], folder: Path) -> Iterator[tuple[Path, str]]:
        """Write each block to a file and yield it. The next block overwrites the file."""
        path = folder / "piece"
        block: tuple[str, int] | None = None
        output = path.open("wb")
        try:
            for (file, start), lines in _runs(batches):
                if (file, start) != block:
                    if block is not None:
                        output.close()
                        yield path, _place(*block)
                        output = path.open("wb")
                    block = file, start
                    if self.header is not None:
                        output.write(self.header + b"\n")
                        lines = self._without_header(lines, file) if start == 0 else lines
                if len(lines):
                    output.write(_joined(lines) + b"\n")
            output.close()
            if block is not None:
                yield path, _place(*block)
        finally:
            output.close()

    def _profile(self, path: Path, place: str, profile: Profile) -> Skipped:
        """Add the records of a block to the profile; returns its malformed records."""
        malformed = MalformedRecords(self.limit)
        try:
            selection = Selection(None, self.as_text | self.dataset.categories)
            for batch in FORMATS[self.dataset.format]([path], self.dataset, selection, malformed):
                profile.update(self.dataset.conform(batch))
        except QualityError as error:
            raise QualityError(str(error).replace(str(path), place)) from error
        return Skipped(malformed.count, self.limit, tuple(replace(sample, file=place) for sample in malformed.samples))

    def _without_header(self, lines: pa.Array, file: str) -> pa.Array:
        first = lines[0].as_py()
        if first != self.header:
            raise QualityError(
                f"{file} begins with {_text(first)!r} and another file with {_text(self.header or b'')!r}; all files "
                "of a dataset need the same header line on Spark"
            )
        return lines[1:]


def _runs(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[tuple[str, int], pa.Array]]:
    """Iterate over the lines of each batch by block, with the file and the start of the block."""
    for batch in batches:
        lines, names, starts = batch.columns
        if batch.num_rows == 0:
            continue
        ends = sorted({*pc.run_end_encode(names).run_ends.to_pylist(), *pc.run_end_encode(starts).run_ends.to_pylist()})
        for begin, end in zip([0, *ends], ends, strict=False):
            yield (names[begin].as_py(), starts[begin].as_py()), lines[begin:end]


def _joined(lines: pa.Array) -> bytes:
    whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
    joined: bytes = pc.binary_join(whole, b"\n")[0].as_py()
    return joined


def _place(file: str, start: int) -> str:
    return f"{file} (from byte {start})" if start else file


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace")[:200]


def _check_limit(profiles: list[dict[str, Any]], limit: int) -> None:
    """Tasks keep to the limit each; together they may be beyond it."""
    count = sum(profile["skipped"]["count"] for profile in profiles)
    if count > limit:
        first = next(sample for profile in profiles for sample in profile["skipped"]["samples"])
        raise QualityError(
            f"{count} records are malformed and {limit} may be skipped; one of them, in {first['file']} at "
            f"{first['line']}, {first['reason']}: check what writes them, or raise malformed_records_limit"
        )


def _dataset(settings: Settings, folder: Path) -> Dataset:
    """Describe the format; each task writes the files that its readers read."""
    nothing = folder / "nothing"
    nothing.touch()
    names: tuple[str, ...] = ()
    # Read before the long pass, too: a wrong path should cost seconds.
    if settings.baseline_statistics:
        names = tuple(feature.name for feature in read_statistics(settings.baseline_statistics).features)
    if settings.baseline_constraints:
        names = tuple(feature.name for feature in read_constraints(settings.baseline_constraints).features)
    schema = read_schema(settings.model_schema) if settings.model_schema else None
    return Dataset.from_format(nothing, settings.dataset_format, names, settings.window, schema=schema)


def _leave_message(message: str) -> None:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
