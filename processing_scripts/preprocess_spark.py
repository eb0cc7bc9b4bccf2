"""Preprocess on a Spark cluster: preprocess.py for tables that one instance does not hold.

Arguments, checks, schema, report and exit status are those of preprocess.py, and so are the rows of each split, which
are in several files:

    train/part-00000.parquet, ..., validation/..., test/...   encoded numbers, target first; a missing value is null
    baseline/part-00000.parquet, ...            the features of the training split, with their original values

Each input file is read by one task. So a table should come in at least as many files as the cluster has processors.
"""

from __future__ import annotations

from collections.abc import Sequence

from preprocess import parse_arguments, run
from preprocessing_spark.engine import Spark
from spark_job import keep_exit_message, start_session


def main(arguments: Sequence[str] | None = None) -> None:
    run(Spark(start_session("preprocess")), parse_arguments(arguments))


if __name__ == "__main__":
    try:
        main()
    finally:
        keep_exit_message()
