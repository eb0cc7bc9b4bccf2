"""Preprocess: validate a table, split it, encode it for LightGBM.

Reads CSV or Parquet, one file or all files under the input folder (names that begin with a dot or an underscore are not
data); drops exact duplicates and rows without a target; checks the data; splits it; learns category codes and label
classes on the training split alone.

Written under the output folder:
    train/train.csv, validation/..., test/...   encoded numbers, header, target first; a missing value is an empty field
    baseline/baseline.csv                       the training split's features with the values as they came in
    schema/schema.json                          problem type, target, features with their categories, classes
    report/validation_report.json               every check with its severity, status, columns, message and numbers

A column holds either numbers or categories: text and booleans are categories, and so are dates of which nobody made
numbers. Target, time and group columns are no features. preprocessing/columns.py lists what counts as
missing in text.

An error is what no model should be trained on. An infinity is one, in a feature too: a JSON request cannot carry it,
means and drift distances are undefined with it, and it is nearly always a division by zero upstream. So is a column
with nothing in it, nearly always a broken join. What LightGBM copes with is a warning: outliers, constant columns, rare
classes, columns like ids.

Exit status: 0; 1 when the data cannot be used, with the reason as the last line on stderr: then no split is written,
but the report is; 2 when an argument is wrong.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from preprocessing.columns import BINARY, MULTICLASS, REGRESSION, SPLITS
from preprocessing.encoding import encode, learn_schema
from preprocessing.features import check_features, check_rows, choose_features, drop_unusable_rows
from preprocessing.reading import read_table
from preprocessing.report import WARNING, DataError, Report
from preprocessing.splitting import assign_splits
from preprocessing.targets import check_split_column, check_splits, check_target

# SageMaker returns the first kilobyte of this file as the job's ExitMessage
# of floating numbers, that are exact and have at most 17 digits before the point
LARGEST_WHOLE = 2.0**53
EXIT_MESSAGE = Path("/opt/ml/output/message")


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
    add("--positive-class", help="binary only; default: the last of the two classes in sorted order")
    add("--drop-columns", nargs="*", default=[])
    add("--categorical-columns", nargs="*", default=[], help="besides text and booleans, which always are")
    add(
        "--split-strategy",
        choices=("random", "time", "group"),
        default="random",
        help="random: stratified by class; time: the latest rows are the test split; group: no group is in two splits",
    )
    add("--time-column", help="numbers, or ISO 8601 dates or times")
    add("--group-column")
    add("--train-share", type=float, default=0.7)
    add("--validation-share", type=float, default=0.1)
    add("--test-share", type=float, default=0.2)
    add("--seed", type=int, default=42)
    add("--min-rows", type=int, default=50)
    add("--max-missing-share", type=float, default=0.95, help="of any one feature")
    add("--outlier-z-score", type=float, default=8.0, help="the robust z-score from which on a value is an outlier")
    add("--input-dir", type=Path, default=Path("/opt/ml/processing/input/data"))
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    options = parser.parse_args(arguments)

    options.shares = (options.train_share, options.validation_share, options.test_share)
    if min(options.shares) <= 0 or abs(sum(options.shares) - 1) > 1e-6:
        parser.error(f"the shares of train, validation and test must be above 0 and add up to 1, not {options.shares}")
    options.split_column = {"random": None, "time": options.time_column, "group": options.group_column}[
        options.split_strategy
    ]
    if options.split_strategy != "random" and not options.split_column:
        parser.error(f"--split-strategy {options.split_strategy} needs --{options.split_strategy}-column")
    return options


def preprocess(options: argparse.Namespace, report: Report) -> None:
    """Validate, split, encode and write the table under ``options.input_dir``; fill ``report`` on the way.

    Raises:
        DataError: the data cannot be used, and nothing was written.
    """
    with report.recording("input"):
        table, name = read_table(options.input_dir, options.categorical_columns)
    with report.recording("columns"):
        features = choose_features(table, name, options)

    table = drop_unusable_rows(table, options, report)
    check_rows(table, options, report)
    check_features(table, features, options, report)
    check_target(table[options.target_column], options, report)
    split_key = check_split_column(table, options, report)
    report.raise_errors()

    assignment = assign_splits(table[options.target_column], split_key, options)
    parts = {split: table.take(pa.array(np.flatnonzero(assignment == i))) for i, split in enumerate(SPLITS)}
    schema = learn_schema(parts["train"], features, options)
    check_splits(parts, schema, options, report)
    report.raise_errors()

    for split, part in parts.items():
        write_csv(encode(part, schema), options.output_dir / split / f"{split}.csv")
    write_csv(as_read(parts["train"].select(features)), options.output_dir / "baseline" / "baseline.csv")
    write_json(schema, options.output_dir / "schema" / "schema.json")

    sizes = ", ".join(f"{split} {len(part)}" for split, part in parts.items())
    print(f"{name}: {len(table)} usable rows ({sizes}), {len(features)} features")
    for message in report.messages(WARNING):
        print(f"warning: {message}")


def fail(message: str) -> NoReturn:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message.encode()[:1024].decode(errors="ignore"), encoding="utf-8")
    sys.exit(message)


def as_read(table: pa.Table) -> pa.Table:
    """The table with 30.0 written as that: Arrow would write 30, and who sends 30.0 later would have another type."""
    for place, name in enumerate(table.column_names):
        column = table[name]
        if pa.types.is_floating(column.type):
            whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), LARGEST_WHOLE))
            if pc.all(whole).as_py():
                table = table.set_column(place, name, column.cast(pa.decimal128(18, 1)))
    return table


def write_csv(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    with aside.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(table.column_names)
        file.flush()
        pa.csv.write_csv(table, file.buffer, pa.csv.WriteOptions(include_header=False))
    aside.replace(path)


def write_json(content: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    aside.replace(path)


if __name__ == "__main__":
    main()
