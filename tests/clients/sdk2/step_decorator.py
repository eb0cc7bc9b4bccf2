"""A pipeline of functions: `@step` beside steps of other types, conditions on results, and a function that fails."""

import time
from pathlib import Path

from sagemaker import Session
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThan
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.function_step import step
from sagemaker.workflow.parameters import ParameterInteger
from sagemaker.workflow.pipeline import Pipeline

session = Session()
sagemaker = session.sagemaker_client
role = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"
Path("requirements.txt").write_text("numpy\n", encoding="utf-8")
job = {"instance_type": "ml.m5.xlarge", "role": role, "dependencies": "requirements.txt"}


@step(name="Split", **job)
def split(rows: int) -> tuple:
    return list(range(rows)), list(range(rows, rows + 2))


@step(name="Score", **job)
def score(train, test, execution):
    assert execution
    return {"auc": len(train) / 10, "tests": len(test)}


@step(name="Report", **job)
def report(result):
    if result["auc"] > 0.75:
        raise RuntimeError(f"suspicious: {result}")
    return result


def run(rows: int) -> tuple[dict, dict]:
    execution = sagemaker.start_pipeline_execution(
        PipelineName="functions-2", PipelineParameters=[{"Name": "Rows", "Value": str(rows)}]
    )
    arn = execution["PipelineExecutionArn"]
    while (found := sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn))["PipelineExecutionStatus"] == (
        "Executing"
    ):
        time.sleep(0.2)
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return found, {item["StepName"]: item for item in steps}


rows = ParameterInteger(name="Rows", default_value=6)
parts = split(rows)
result = score(parts[0], parts[1], execution=ExecutionVariables.PIPELINE_EXECUTION_ID)
enough = ConditionStep(
    name="Enough",
    conditions=[ConditionGreaterThan(left=result["auc"], right=0.5)],
    if_steps=[report(result)],
    else_steps=[FailStep(name="TooFew", error_message="too few rows")],
)
pipeline = Pipeline(name="functions-2", parameters=[rows], steps=[enough], sagemaker_session=session)
pipeline.upsert(role_arn=role)

execution = pipeline.start()
execution.wait(delay=1, max_attempts=600)
assert execution.result("Report") == {"auc": 0.6, "tests": 2}

found, steps = run(8)
assert found["PipelineExecutionStatus"] == "Failed"
assert "RuntimeError(\"suspicious: {'auc': 0.8, 'tests': 2}\")" in steps["Report"]["FailureReason"], steps["Report"]
