"""Run a quality check in a Processing job, in place of a QualityCheck step, for accounts without Model Monitor.

Writes the baseline (statistics.json, constraints.json) and, unless the check is skipped, compares the data with the
baseline of the latest approved model package of a group (constraint_violations.json). The dataset and its format are
set by the environment variables of the package analyzer, which is shipped beside this script; see analyzer/__main__.py.

Exit status 0; 1 if the analysis failed or there is no baseline to compare with, with the reason on stderr; 3 with
--fail-on-violation true if there are violations.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_registry import approved_baselines

from analyzer.__main__ import FAIL_ON_VIOLATION
from analyzer.__main__ import main as run_analyzer

# The member of DriftCheckBaselines for each analysis type.
SECTIONS = {"DATA_QUALITY": "ModelDataQuality", "MODEL_QUALITY": "ModelQuality"}


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    set_baseline(options)
    return analyze(options)


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model-package-group", required=True, help="group of the approved baseline")
    add("--skip-check", type=boolean, required=True, help="true: only write a new baseline")
    add("--fail-on-violation", type=boolean, required=True, help="true: exit with status 3 if there are violations")
    add("--baseline-dir", type=Path, default=Path("/opt/ml/processing/baseline"))
    return parser.parse_args(arguments)


def boolean(text: str) -> bool:
    """Parse a boolean pipeline parameter, true or True."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a boolean; set it to true or false")
    return text.lower() == "true"


def set_baseline(options: argparse.Namespace) -> None:
    """Download the baseline to compare with, unless the check is skipped, and set the analyzer's variables for it."""
    if options.skip_check:
        return
    # Imported here, because a skipped check needs neither boto3 nor a network.
    import boto3

    # Model Monitor's variables are in lower case.
    analysis_type = dict(os.environ).get("analysis_type", "DATA_QUALITY")
    # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
    sagemaker, s3 = (boto3.client(name, region_name=os.environ.get("AWS_REGION")) for name in ("sagemaker", "s3"))
    baseline = registered_baseline(sagemaker, options.model_package_group, analysis_type)
    os.environ.update(download(s3, baseline, options.baseline_dir))


def analyze(options: argparse.Namespace) -> int:
    """Run the analysis that the environment describes; returns the exit status."""
    return run_analyzer([FAIL_ON_VIOLATION] if options.fail_on_violation else [])


def registered_baseline(sagemaker: Any, group: str, analysis_type: str) -> dict[str, str]:
    """Look up the baseline of the latest approved model package.

    Args:
        sagemaker: A boto3 SageMaker client.
        group: The name of the model package group.
        analysis_type: DATA_QUALITY or MODEL_QUALITY.

    Returns:
        The S3 URIs of statistics and constraints, by the analyzer's environment variable for each.

    Raises:
        SystemExit: No package of the group is approved, or the latest one has no such baseline.
    """
    try:
        arn, baselines = approved_baselines(sagemaker, group)
    except LookupError as error:
        sys.exit(str(error))
    files = baselines.get(SECTIONS[analysis_type], {})
    if not {"Statistics", "Constraints"} <= files.keys():
        sys.exit(f"{arn} has no {analysis_type} baseline; approve a version that has one, or skip the check")
    return {f"baseline_{kind.lower()}": files[kind]["S3Uri"] for kind in ("Statistics", "Constraints")}


def download(s3: Any, baseline: dict[str, str], folder: Path) -> dict[str, str]:
    """Download the files of a baseline, and return their paths by the same names."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, uri in baseline.items():
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        paths[name] = str(folder / f"{name}.json")
        s3.download_file(bucket, key, paths[name])
    return paths


if __name__ == "__main__":
    sys.exit(main())
