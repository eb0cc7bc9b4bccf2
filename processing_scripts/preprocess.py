"""Preprocess: validate a table, split it, and encode it for LightGBM.

Reads CSV or Parquet, one file or all files under the input folder, except names that begin with a dot or an underscore.
The names of Hive partitions (`country=DE/part-0.csv`) are columns. Drops rows without a target, and exact duplicates
with --duplicates drop; validates the data, splits it, and learns category codes and classes on the training split only.
Rows with equal features are in one split of a random split, unless they are so many that each split has its share.

Output, under the output folder:
    train/train.parquet, validation/..., test/...   encoded numbers, target first; a missing value is null
    baseline/baseline.csv or baseline.parquet   the features of the training split, with their original values
    schema/schema.json                          problem type, target, features with their categories, classes
    schema/sample.csv                           up to 10,000 rows of the baseline, evenly spaced
    report/validation_report.json               every check with its severity, status, columns, message and numbers

A column is either numeric or categorical. Text and booleans are categorical, and so are dates unless the data has them
as numbers. Values are compared and grouped as they are in the data; a numeric feature becomes a double, with a warning
where it has more digits. Target, time and group columns are not features, nor is the unnamed index that pandas writes
into Parquet. analyzer/values.py lists the texts that count as missing.

Data that no model should be trained on is an error. This includes an infinity in a feature: JSON requests cannot
contain it, means and drift distances are undefined with it, and it usually comes from a division by zero. It also
includes an empty column, which usually comes from a broken join. What LightGBM can handle is a warning: outliers,
constant columns, rare classes, columns like IDs.

Exit status 0; 1 if the data cannot be used, with the reason as the last line on stderr (only the report is written
then); 2 if an argument is invalid.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from job_files import fail, write_text
from preprocessing.columns import BINARY, MAX_WHOLE_NUMBER, MULTICLASS, REGRESSION, SPLITS
from preprocessing.duplicates import drop_unusable_rows
from preprocessing.encoding import encode, learn_schema
from preprocessing.features import check_features, check_rows, choose_features
from preprocessing.reading import read_table
from preprocessing.report import WARNING, DataError, Report
from preprocessing.splitting import assign_splits
from preprocessing.targets import check_split_column, check_splits, check_target

ROW_GROUP = 100_000
# Rows of sample.csv, from which `deployment test` and `deployment traffic` make requests.
SAMPLE = 10_000


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    report = Report()
    failure = None
    try:
        preprocess(options, report)
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
    add("--problem-type", required=True, choices=(BINARY, MULTICLASS, REGRESSION))
    add("--target-column", required=True)
    add("--positive-class", help="only for two classes (default: the last class in sorted order)")
    add("--drop-columns", nargs="*", default=[], help="columns that are not features")
    add(
        "--categorical-columns",
        nargs="*",
        default=[],
        help="in addition to text and booleans, which are always categorical",
    )
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
    add("--time-column", help="a column of numbers or of ISO 8601 dates or times")
    add("--group-column")
    add("--train-share", type=float, default=0.7)
    add("--validation-share", type=float, default=0.1)
    add("--test-share", type=float, default=0.2)
    add("--seed", type=int, default=42)
    add("--min-rows", type=int, default=50)
    add("--max-missing-share", type=float, default=0.95, help="the largest share of missing values in a feature")
    add("--outlier-z-score", type=float, default=8.0, help="the robust z-score above which a value is an outlier")
    add(
        "--baseline-format",
        choices=("csv", "parquet"),
        default="csv",
        help="parquet is faster and keeps types; Model Monitor reads only CSV",
    )
    add("--input-dir", type=Path, default=Path("/opt/ml/processing/input/data"))
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    options = parser.parse_args(arguments)

    options.shares = (options.train_share, options.validation_share, options.test_share)
    if min(options.shares) <= 0 or abs(sum(options.shares) - 1) > 1e-6:
        parser.error(f"the shares of train, validation and test must be above 0 and add up to 1, got {options.shares}")
    options.split_column = {"random": None, "time": options.time_column, "group": options.group_column}[
        options.split_strategy
    ]
    if options.split_strategy != "random" and not options.split_column:
        parser.error(f"--split-strategy {options.split_strategy} needs --{options.split_strategy}-column")
    return options


def preprocess(options: argparse.Namespace, report: Report) -> None:
    """Validate, split, encode and write the table under ``options.input_dir``, and add all checks to ``report``.

    Raises:
        DataError: The data cannot be used; no split is written.
    """
    with report.recording("input"):
        texts = [*options.categorical_columns, *filter(None, [options.group_column])]
        data = read_table(options.input_dir, texts, options.drop_columns)
    with report.recording("columns"):
        features = choose_features(data.table, data.name, options)

    table, alike = drop_unusable_rows(data, features, options, report)
    check_rows(table, options, report)
    check_features(table, features, options, report)
    check_target(table[options.target_column], options, report)
    split_key = check_split_column(table, options, report)
    report.raise_errors()

    assignment = assign_splits(table[options.target_column], split_key, alike, options)
    parts = {split: table.take(pa.array(np.flatnonzero(assignment == i))) for i, split in enumerate(SPLITS)}
    schema = learn_schema(parts["train"], features, options)
    check_splits(parts, schema, options, report)
    report.raise_errors()

    for split, part in parts.items():
        write_parquet(encode(part, schema), options.output_dir / split / f"{split}.parquet")
    baseline = parts["train"].select(features)
    if options.baseline_format == "csv":
        write_csv(keep_fractions(baseline), options.output_dir / "baseline" / "baseline.csv")
    else:
        write_parquet(baseline, options.output_dir / "baseline" / "baseline.parquet")
    sample = np.linspace(0, len(baseline) - 1, min(len(baseline), SAMPLE)).astype(int)
    write_csv(keep_fractions(baseline.take(pa.array(sample))), options.output_dir / "schema" / "sample.csv")
    write_json(schema, options.output_dir / "schema" / "schema.json")

    sizes = ", ".join(f"{split} {len(part)}" for split, part in parts.items())
    print(f"{data.name}: {len(table)} usable rows ({sizes}), {len(features)} features")
    for message in report.messages(WARNING):
        print(f"warning: {message}")


def keep_fractions(table: pa.Table) -> pa.Table:
    """Convert columns of whole doubles so that 30.0 is written as 30.0: Arrow writes 30, which has another type."""
    for index, name in enumerate(table.column_names):
        column = table[name]
        if pa.types.is_floating(column.type):
            # They fit into a decimal of 18 digits, one of them after the point.
            whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), MAX_WHOLE_NUMBER))
            if pc.all(whole).as_py():
                table = table.set_column(index, name, column.cast(pa.decimal128(18, 1)))
    return table


def write_parquet(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_path = path.with_name(f".{path.name}")
    # a row group is what a reader that streams holds in memory
    pq.write_table(table, temporary_path, compression="zstd", row_group_size=ROW_GROUP)
    temporary_path.replace(path)


def write_csv(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary_path = path.with_name(f".{path.name}")
    with temporary_path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(table.column_names)
        file.flush()
        pa.csv.write_csv(table, file.buffer, pa.csv.WriteOptions(include_header=False))
    temporary_path.replace(path)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", path)


if __name__ == "__main__":
    main()
