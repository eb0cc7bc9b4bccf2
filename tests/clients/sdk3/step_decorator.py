"""A pipeline of functions: `@step` beside steps of other types, conditions on results, and a function that fails."""

from botocore.exceptions import WaiterError
from sagemaker.core.helper.session_helper import Session
from sagemaker.core.workflow.conditions import ConditionGreaterThan
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.parameters import ParameterInteger
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.function_step import step
from sagemaker.mlops.workflow.pipeline import Pipeline

session = Session()
role = "arn:aws:iam::123456789012:role/SageMakerExecutionRole"


@step(name="Split", instance_type="ml.m5.xlarge", role=role)
def split(rows: int) -> tuple:
    return list(range(rows)), list(range(rows, rows + 2))


@step(name="Score", instance_type="ml.m5.xlarge", role=role)
def score(train, test, execution):
    assert execution
    return {"auc": len(train) / 10, "tests": len(test)}


@step(name="Report", instance_type="ml.m5.xlarge", role=role)
def report(result):
    if result["auc"] > 0.75:
        raise RuntimeError(f"suspicious: {result}")
    return result


rows = ParameterInteger(name="Rows", default_value=8)
parts = split(rows)
result = score(parts[0], parts[1], execution=ExecutionVariables.PIPELINE_EXECUTION_ID)
enough = ConditionStep(
    name="Enough",
    conditions=[ConditionGreaterThan(left=result["auc"], right=0.5)],
    if_steps=[report(result)],
    else_steps=[FailStep(name="TooFew", error_message="too few rows")],
)
pipeline = Pipeline(name="functions-3", parameters=[rows], steps=[enough], sagemaker_session=session)
pipeline.upsert(role_arn=role)

execution = pipeline.start()
try:
    execution.wait(delay=1, max_attempts=600)
except WaiterError:
    steps = {step["StepName"]: step for step in execution.list_steps()}
    failure = steps["Report"].get("FailureReason", "")
    assert "RuntimeError(\"suspicious: {'auc': 0.8, 'tests': 2}\")" in failure, steps
else:
    raise AssertionError("the execution should have failed")
# the results of functions that have returned are there
assert execution.result("Score") == {"auc": 0.8, "tests": 2}
