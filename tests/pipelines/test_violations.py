"""A check that failed because of violations names them."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

from pipelines.runner import Step
from pipelines.violations import with_violations

REPORT = "s3://bucket/check/constraint_violations.json"
JOB = "arn:aws:sagemaker:us-east-1:111122223333:processing-job/check"


def target(violations: list[dict[str, str]] | None = None, message: str = "") -> Any:
    content = json.dumps({"violations": violations} if violations is not None else {}).encode()
    return SimpleNamespace(
        s3=SimpleNamespace(get_object=lambda **_: {"Body": io.BytesIO(content)}),
        sagemaker=SimpleNamespace(describe_processing_job=lambda **_: {"ExitMessage": message}),
    )


def failed(**metadata: Any) -> Step:
    return Step(
        "DataQualityBaseline", "Failed", reason="ClientError: Quality check failed.", job=JOB, metadata=metadata
    )


def test_a_quality_check_step_names_each_violation_of_its_report() -> None:
    description = "Data completeness requirement is not met. Expected: 100.0%. Observed: Only 98.5%."
    violations = [
        {"feature_name": name, "constraint_check_type": "completeness_check", "description": description}
        for name in ("age", "plan")
    ]
    step = with_violations(target(violations), failed(QualityCheck={"ViolationReport": REPORT}))
    assert step.reason.splitlines()[0] == "ClientError: Quality check failed."
    assert "2 features are missing in 1.5 % of the records (at most 0 %): age, plan." in step.reason


def test_a_clarify_check_step_names_the_metric_and_the_group() -> None:
    violation = {
        "facet": "sex",
        "facet_value": "female",
        "metric_name": "DPL",
        "constraint_check_type": "bias_drift_check",
        "description": "Metric value 0.25 doesn't meet the baseline constraint requirement 0.05",
    }
    step = with_violations(target([violation]), failed(ClarifyCheck={"ViolationReport": REPORT}))
    assert "DPL of sex = female" in step.reason
    assert "Metric value 0.25 doesn't meet the baseline constraint requirement 0.05" in step.reason


def test_a_processing_step_names_those_of_its_exit_message() -> None:
    message = "CompletedWithViolations: Job completed successfully with 1 violations. age drifted: distance 0.4."
    assert with_violations(target(message=message), failed()).reason.endswith(message)


def test_other_failures_and_reports_that_cannot_be_read_keep_their_reason() -> None:
    assert with_violations(target(message="Failed: no records"), failed()) == failed()
    step = failed(QualityCheck={"ViolationReport": REPORT})
    assert with_violations(target(None), step) == step
