"""Preprocess: validate a table, split it, and encode it for LightGBM.

Reads CSV, JSON lines or Parquet, CSV and JSON lines also compressed by gzip, zstd or bz2: one file or all files under
the input folder, except names that begin with a dot or an underscore. The names of Hive partitions
(`country=DE/part-0.csv`) are columns. Drops rows without a target, and exact duplicates with --duplicates drop;
validates the data, splits it, and learns category codes and classes on the training split only. Rows with equal
features are in one split of a random split, unless they are so many that each split has its share.

Output, under the output folder:
    train/train.parquet, validation/..., test/...   encoded numbers: the target, the model's columns (a missing value
                                                is null), and where there are such columns: @weight, @group (rows of a
                                                group have the same number) or @time (the order of the rows)
    baseline/baseline.csv or baseline.parquet   the features of the training split, with their original values
    schema/sample.csv                           at most 10,000 rows of the same, as test requests
    schema/test_sample.parquet                  at most 1,000 rows of the features of the test split, to explain
    schema/schema.json                          problem type, target, classes, features with their categories and how
                                                they are written; and the model's columns, where they are derived from
                                                the features
    records/records.parquet                     the rows of the test split in their order, with their original values:
                                                the features, and the columns of --segment-columns
    facets/facets.parquet                       with --facet-columns or --numeric-facet-columns: these columns and the
                                                target of the training split; the records have them, too
    report/validation_report.json               every check with its severity, status, columns, message and numbers

A column is either numeric or categorical. Text and booleans are categorical, and so are dates unless the data has them
as numbers or datetime_columns names them. The settings in data.json (--data-settings) say how values are written, and
what the model gets of dates, texts and earlier rows; features.py (--features) makes the model's columns by the user's
own function. Values are compared and grouped as they are in the data; a numeric feature becomes a double, with a
warning where it has more digits. Target, time, group and weight columns are not features, nor is the unnamed index that
pandas writes into Parquet. analyzer/values.py lists the texts that count as missing.

Data that no model should be trained on is an error. This includes an infinity in a feature: JSON requests cannot
contain it, means and drift distances are undefined with it, and it usually comes from a division by zero. It also
includes an empty column, which usually comes from a broken join. What LightGBM can handle is a warning: outliers,
constant columns, rare classes, columns like IDs.

Exit status 0; 1 if the data cannot be used, with the reason as the last line on stderr (only the report is written
then); 2 if an argument is invalid.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from job_files import fail, write_text
from preprocessing.column_formats import ColumnFormats
from preprocessing.columns import BINARY, MULTICLASS, RANKING, REGRESSION
from preprocessing.data_settings import DataSettings, read_data_settings
from preprocessing.datetimes import check_datetimes
from preprocessing.duplicates import drop_duplicates, drop_unlabelled
from preprocessing.encoding import Encoder, learn_categories, make_schema, ordered_classes
from preprocessing.encodings import learn_encodings
from preprocessing.engine import Engine
from preprocessing.extras import extra_columns
from preprocessing.features import check_features, check_rows, choose_features
from preprocessing.lags import add_lags
from preprocessing.model_columns import DATETIME, choose_model_columns
from preprocessing.originals import CSV, PARQUET, Originals
from preprocessing.reading import CsvFormat
from preprocessing.report import WARNING, DataError, Report
from preprocessing.splitting import check_splits, split_rows
from preprocessing.targets import check_target, read_labels
from preprocessing.weights import check_weights, check_weights_of_splits
from preprocessing.writing import SplitWriter, write_samples

# What to do about errors of the file system, which are not errors of the program.
STORAGE_ERRORS = {
    errno.ENOSPC: "free disk space, or raise resources.volume_size_in_gb",
    errno.EACCES: "grant access to it, or choose another folder",
    errno.EROFS: "choose a folder that can be written to",
    errno.EEXIST: "remove this file, or choose another folder",
    errno.ENOTDIR: "remove the file, or choose another folder",
}


def main(arguments: Sequence[str] | None = None) -> None:
    # imported here, because the Spark image, in which preprocess_spark.py imports this module, has no DuckDB
    from preprocessing.duckdb_engine import DuckDb

    options = parse_arguments(arguments)
    try:
        options.output_dir.mkdir(parents=True, exist_ok=True)
        for leftover in options.output_dir.glob(".rows-*"):
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=".rows-", dir=options.output_dir) as folder:
            run(DuckDb(Path(folder)), options)
    except OSError as error:
        if error.errno not in STORAGE_ERRORS:
            raise
        fail(f"{error.filename or options.output_dir}: {os.strerror(error.errno)}; {STORAGE_ERRORS[error.errno]}")


def run(engine: Engine, options: argparse.Namespace) -> None:
    """Preprocess, and exit with a message if the data cannot be used."""
    report = Report()
    failure = None
    try:
        preprocess(engine, options, report)
    except DataError as error:
        failure = str(error)
    write_json(report.content(), options.output_dir / "report" / "validation_report.json")
    if failure:
        fail(failure)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--problem-type", required=True, choices=(BINARY, MULTICLASS, REGRESSION, RANKING))
    add("--target-column", required=True)
    add("--positive-class", help="only for two classes (default: the last class in sorted order)")
    add("--drop-columns", nargs="*", default=[], help="columns that are not features")
    add(
        "--categorical-columns",
        nargs="*",
        default=[],
        help="in addition to text and booleans, which are always categorical",
    )
    add("--csv-separator", default=",", help="the character between the fields of CSV files")
    add("--csv-decimal", default=".", choices=(".", ","), help="the decimal mark in CSV files")
    add("--csv-encoding", default="utf-8", help="the encoding of CSV files, by its name in Python")
    add(
        "--duplicates",
        choices=("keep", "drop", "error"),
        default="keep",
        help="rows that equal an earlier one in all columns: keep them, drop them, or fail",
    )
    add(
        "--split-strategy",
        choices=("random", "time", "group"),
        default="random",
        help="random: stratified by class; time: the latest rows are the test split; group: each group is in one split",
    )
    add("--time-column", help="a column of numbers, or of dates or times such as 2024-02-29 or 29.02.2024")
    add("--group-column")
    add("--weight-column", help="a column of numbers that says how much each row counts; 0 leaves a row out")
    add("--segment-columns", nargs="*", default=[], help="columns to add to the records, dropped ones among them")
    add(
        "--facet-columns",
        nargs="*",
        default=[],
        help="columns by which fairness compares rows, dropped ones among them; with them, the records have the target",
    )
    add("--numeric-facet-columns", nargs="*", default=[], help="the same, for columns of numbers")
    add("--train-share", type=float, default=0.7)
    add("--validation-share", type=float, default=0.1)
    add("--test-share", type=float, default=0.2)
    add("--seed", type=int, default=42)
    add("--min-rows", type=int, default=50)
    add("--max-missing-share", type=float, default=0.95, help="the largest share of missing values in a feature")
    add("--outlier-z-score", type=float, default=8.0, help="the robust z-score above which a value is an outlier")
    add("--baseline-format", choices=(CSV, PARQUET), default=CSV, help="Model Monitor reads CSV alone")
    add(
        "--data-settings",
        type=Path,
        help="a JSON file of the settings in the section data that have a structure (default: data.json beside this "
        "script, if it exists)",
    )
    add(
        "--features",
        type=Path,
        help="a Python file with the function add_features, which makes the model's columns of the features "
        "(default: features.py beside this script, if it exists)",
    )
    add("--record-identifier", help="the input is a feature group's offline store, with this record identifier")
    add("--event-time", help="the event time feature of the feature group")
    add("--as-of", help="ignores what was written to the offline store after this time, in ISO 8601")
    add("--input-dir", type=Path, default=Path("/opt/ml/processing/input/data"))
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    options = parser.parse_args(arguments)
    if len(options.csv_separator) != 1 or not options.csv_separator.isascii():
        parser.error(f"--csv-separator must be one ASCII character, got {options.csv_separator!r}")
    try:
        "".encode(options.csv_encoding)
    except LookupError:
        parser.error(
            f"--csv-encoding {options.csv_encoding!r} is not a text encoding of Python; use one such as latin-1"
        )
    path = options.data_settings or Path(__file__).with_name("data.json")
    try:
        exists = options.data_settings or path.exists()
        options.data_settings = read_data_settings(path) if exists else DataSettings()
    except ValueError as error:
        parser.error(f"--data-settings: {error}")
    beside = Path(__file__).with_name("features.py")
    options.features = options.features or (beside if beside.exists() else None)
    options.facet_columns += options.numeric_facet_columns
    options.csv_format = CsvFormat(options.csv_separator, options.csv_decimal, options.csv_encoding)
    options.column_formats = ColumnFormats.from_settings(options.data_settings, options.csv_decimal)

    options.shares = (options.train_share, options.validation_share, options.test_share)
    if min(options.shares) <= 0 or abs(sum(options.shares) - 1) > 1e-6:
        parser.error(f"the shares of train, validation and test must be above 0 and add up to 1, got {options.shares}")
    options.split_column = {"random": None, "time": options.time_column, "group": options.group_column}[
        options.split_strategy
    ]
    if options.split_strategy != "random" and not options.split_column:
        parser.error(f"--split-strategy {options.split_strategy} needs --{options.split_strategy}-column")
    if options.problem_type == RANKING and options.split_strategy != "group":
        parser.error(f"--problem-type {RANKING} needs --split-strategy group, whose --group-column is the query")
    if bool(options.record_identifier) != bool(options.event_time):
        parser.error("--record-identifier and --event-time are used together")
    if options.data_settings.lags and options.split_strategy != "time":
        parser.error("data.lags needs --split-strategy time")
    return options


def preprocess(engine: Engine, options: argparse.Namespace, report: Report) -> None:
    """Validate, split, encode and write the rows under ``options.input_dir``, and add all checks to ``report``.

    Raises:
        DataError: The data cannot be used; no split is written.
    """
    with report.recording("input"):
        rows = engine.read_rows(options)
    if options.data_settings.lags:
        with report.recording("lags"):
            rows = add_lags(engine, rows, options)
    with report.recording("columns"):
        features = choose_features(rows, options)
    sources = {column.name: column for column in features}
    datetimes = {name for name in options.data_settings.datetime_columns if name in sources}
    check_datetimes(engine, rows, datetimes, report)
    if options.features is not None:
        report.raise_errors()
        # its module imports pandas
        from preprocessing.user_columns import add_user_columns

        with report.recording("features"):
            rows, sources, kinds = add_user_columns(engine, rows, features, options)
        datetimes = {name for name, kind in kinds.items() if kind == DATETIME}

    count = drop_unlabelled(engine, rows, options, report)
    labels = read_labels(engine, rows, options, report)
    count = drop_duplicates(engine, rows, labels, count, options, report)
    check_rows(count, options, report)
    profiles = check_features(engine, rows, features, sources, datetimes, count, options, report)
    check_target(engine, rows, labels, count, options, report)
    check_weights(engine, rows, count, options, report)
    report.raise_errors()

    split_rows(engine, rows, labels, options, report)
    extras = extra_columns(rows.columns, options)
    classes = ordered_classes(labels, options)
    columns = choose_model_columns(sources, datetimes, options.data_settings, classes)
    categories, unseen = learn_categories(engine, columns)
    sizes = check_splits(engine, rows, labels, unseen, options, report)
    check_weights_of_splits(engine, rows, options, report)
    report.raise_errors()

    target = rows.columns[options.target_column]
    encodings = learn_encodings(engine, columns, target, classes, labels, profiles)
    encoder = Encoder(target, columns, categories, encodings, classes, labels, profiles)
    originals = Originals(rows, features, labels, profiles, options)
    writer = SplitWriter(encoder, extras, originals, options.output_dir)
    # LightGBM ranks the rows of a query together, so they stand together in one file
    engine.write_splits(writer.columns, writer.write, unit="place" if options.problem_type == RANKING else "row_key")
    write_samples(engine, features, profiles, sizes, options.output_dir)
    schema = make_schema(features, columns, categories, encodings, classes, extras, options)
    write_json(schema, options.output_dir / "schema" / "schema.json")

    splits = ", ".join(f"{split} {size}" for split, size in sizes.items())
    print(f"{rows.name}: {count} usable rows ({splits}), {len(features)} features")
    for message in report.messages(WARNING):
        print(f"warning: {message}")


def write_json(content: Mapping[str, Any], path: Path) -> None:
    write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", path)


if __name__ == "__main__":
    main()
