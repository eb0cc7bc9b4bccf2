"""Evaluate: measure the model on the test split.

Reads model.tar.gz (model.txt and schema.json) and the encoded test.csv. Written under the output folder:
    evaluation/evaluation.json     metrics in Model Monitor's model-quality layout
    predictions/predictions.csv    prediction, probability, label; one line a test row
    report/report.html             one self-contained page with the metrics and plots
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
        "--model-dir", type=Path, default=Path("/opt/ml/processing/input/model"), help="holds model.tar.gz"
    )
    parser.add_argument("--test-dir", type=Path, default=Path("/opt/ml/processing/input/test"), help="holds test.csv")
    parser.add_argument("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
