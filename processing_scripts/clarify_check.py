"""Run a Clarify analysis in a Processing job, in place of a ClarifyCheck step, for accounts without Clarify.

Reads analysis_config.json and the dataset where Clarify reads them, and predicts and explains by the model archive
instead of an endpoint. Writes analysis.json and report.html and, unless the check is skipped, compares them with the
baseline of the latest approved model package of a group (constraint_violations.json).

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

from job_files import fail, write_exit_message
from model_registry import approved_baselines
from quality_check import boolean, download

from analyzer import QualityError
from analyzer.clarify.job import ClarifyJob, run

INPUT = Path("/opt/ml/processing/input")
VIOLATIONS = 3
# The members of DriftCheckBaselines for each analysis.
CONSTRAINTS = {
    "data-bias": ("Bias", "PreTrainingConstraints"),
    "model-bias": ("Bias", "PostTrainingConstraints"),
    "explainability": ("Explainability", "Constraints"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_arguments(arguments)
    job = ClarifyJob(
        config=options.config,
        dataset=options.dataset_dir,
        output=options.output_dir,
        model=options.model if options.model.exists() else None,
        baseline=None if options.skip_check else registered_baseline(options),
        metric_tolerance=options.metric_tolerance,
    )
    try:
        result = run(job)
    except QualityError as error:
        fail(str(error))
    write_exit_message(result.message)
    print(result.message)
    return VIOLATIONS if options.fail_on_violation and result.violations else 0


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--analysis", choices=CONSTRAINTS, required=True, help="which baseline of a model package to compare with")
    add("--model-package-group", required=True, help="group of the approved baseline")
    add("--skip-check", type=boolean, required=True, help="true: only write a new baseline")
    add("--fail-on-violation", type=boolean, required=True, help="true: exit with status 3 if there are violations")
    add(
        "--metric-tolerance",
        type=float,
        default=0.0,
        help="standard errors by which a bias metric may be farther from its fair value than in the baseline",
    )
    add("--config", type=Path, default=INPUT / "config" / "analysis_config.json")
    add("--dataset-dir", type=Path, default=INPUT / "data", help="folder of the records")
    add("--model", type=Path, default=INPUT / "model" / "model.tar.gz", help="model archive, if the analysis needs it")
    add("--baseline-dir", type=Path, default=Path("/opt/ml/processing/baseline"))
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    return parser.parse_args(arguments)


def registered_baseline(options: argparse.Namespace) -> Path:
    """Download analysis.json of the latest approved model package.

    Raises:
        SystemExit: No package of the group is approved, or the latest one has no such baseline.
    """
    # Imported here, because a skipped check needs neither boto3 nor a network.
    import boto3

    # SageMaker sets AWS_REGION in its containers, which boto3 does not read.
    sagemaker, s3 = (boto3.client(name, region_name=os.environ.get("AWS_REGION")) for name in ("sagemaker", "s3"))
    uri = constraints_uri(sagemaker, options.model_package_group, options.analysis)
    return Path(download(s3, {"analysis": uri}, options.baseline_dir)["analysis"])


def constraints_uri(sagemaker: Any, group: str, analysis: str) -> str:
    """Look up the S3 URI of the baseline.

    Args:
        sagemaker: A boto3 SageMaker client.
        group: The name of the model package group.
        analysis: A key of CONSTRAINTS.

    Raises:
        SystemExit: No package of the group is approved, or the latest one has no such baseline.
    """
    try:
        arn, baselines = approved_baselines(sagemaker, group)
    except LookupError as error:
        fail(str(error))
    section, member = CONSTRAINTS[analysis]
    file = baselines.get(section, {}).get(member)
    if file is None:
        fail(f"{arn} has no {analysis} baseline; approve a version that has one, or skip the check")
    return str(file["S3Uri"])


if __name__ == "__main__":
    sys.exit(main())
