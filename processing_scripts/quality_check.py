"""Do in a Processing job what a QualityCheck step does, for accounts without Model Monitor.

Writes the baseline (statistics.json, constraints.json) and, unless the check is skipped, compares the data with the
baseline of the latest approved model package of a group (constraint_violations.json). The data and its format come in
the analyzer's own environment variables, see analyzer/__main__.py, which lies beside this script.

Exit status: 0; 1 when the analysis could not run or there is nothing to compare with, with the reason on stderr; 3 when
there are violations and they are to fail the job.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analyzer.__main__ import FAIL_ON_VIOLATION
from analyzer.__main__ import main as analyze

# where a model package keeps the baseline of an analysis
SECTIONS = {"DATA_QUALITY": "ModelDataQuality", "MODEL_QUALITY": "ModelQuality"}


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    if not options.skip_check:
        import boto3  # not needed, nor is a network, where there is nothing to compare with

        analysis_type = dict(os.environ).get("analysis_type", "DATA_QUALITY")  # in lower case, as Model Monitor has it
        baseline = registered_baseline(boto3.client("sagemaker"), options.model_package_group, analysis_type)
        os.environ.update(download(boto3.client("s3"), baseline, options.baseline_dir))
    return analyze([FAIL_ON_VIOLATION] if options.fail_on_violation else [])


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--model-package-group", required=True)
    add("--skip-check", type=switch, required=True)
    add("--fail-on-violation", type=switch, required=True)
    add("--baseline-dir", type=Path, default=Path("/opt/ml/processing/baseline"))
    return parser.parse_args(arguments)


def switch(text: str) -> bool:
    """A boolean as a pipeline parameter is written, true or True."""
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def registered_baseline(sagemaker: Any, group: str, analysis_type: str) -> dict[str, str]:
    """S3 URIs of the latest approved package's baseline, by the environment variable for each.

    Exits with a message where no package of the group is approved or the latest one has no such baseline.
    """
    packages = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=1,
    )["ModelPackageSummaryList"]
    if not packages:
        sys.exit(f"no version in model package group {group!r} is approved; approve one, or skip the check")
    arn = packages[0]["ModelPackageArn"]
    baselines = sagemaker.describe_model_package(ModelPackageName=arn).get("DriftCheckBaselines", {})
    files = baselines.get(SECTIONS[analysis_type], {})
    if not {"Statistics", "Constraints"} <= files.keys():
        sys.exit(f"{arn} has no {analysis_type} baseline to compare with; approve one that has, or skip the check")
    return {f"baseline_{kind.lower()}": files[kind]["S3Uri"] for kind in ("Statistics", "Constraints")}


def download(s3: Any, baseline: dict[str, str], folder: Path) -> dict[str, str]:
    """Download the files; their paths, by the same names."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for name, uri in baseline.items():
        bucket, key = uri.removeprefix("s3://").split("/", 1)
        paths[name] = str(folder / f"{name}.json")
        s3.download_file(bucket, key, paths[name])
    return paths


if __name__ == "__main__":
    sys.exit(main())
