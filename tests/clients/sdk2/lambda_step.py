"""A Lambda step, whose function the SDK creates from a script, and whose outputs later steps read."""

from pathlib import Path

import boto3
import sagemaker
from sagemaker.lambda_helper import Lambda
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession

NAME = "lambda-step-sdk2"
FUNCTION = """
import boto3

def lambda_handler(event, context):
    groups = boto3.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    known = event["group"] in [group["ModelPackageGroupName"] for group in groups]
    return {"statusCode": 200, "verdict": "known" if known else "unknown", "group": event["group"]}
"""

session = PipelineSession()
role = sagemaker.get_execution_role()
Path("find_group.py").write_text(FUNCTION)
boto3.client("sagemaker").create_model_package_group(ModelPackageGroupName=NAME)

group = ParameterString("Group", default_value=NAME)
function = Lambda(
    function_name=NAME, execution_role_arn=role, script="find_group.py", handler="find_group.lambda_handler"
)
find = LambdaStep(
    "FindGroup",
    lambda_func=function,
    inputs={"group": group},
    outputs=[
        LambdaOutput(output_name="verdict", output_type=LambdaOutputTypeEnum.String),
        LambdaOutput(output_name="group", output_type=LambdaOutputTypeEnum.String),
    ],
)
missing = FailStep("Missing", error_message=find.properties.Outputs["group"])
check = ConditionStep(
    "IsKnown",
    conditions=[ConditionEquals(left=find.properties.Outputs["verdict"], right="known")],
    if_steps=[],
    else_steps=[missing],
)
pipeline = Pipeline(NAME, parameters=[group], steps=[find, check], sagemaker_session=session)
pipeline.upsert(role_arn=role)

execution = pipeline.start()
execution.wait(delay=1, max_attempts=60)
(step,) = [step for step in execution.list_steps() if step["StepName"] == "FindGroup"]
outputs = {output["Name"]: output["Value"] for output in step["Metadata"]["Lambda"]["OutputParameters"]}
assert outputs == {"verdict": "known", "group": NAME}, step

other = pipeline.start(parameters={"Group": "no-such-group"})
try:
    other.wait(delay=1, max_attempts=60)
except Exception:
    reasons = [step.get("FailureReason") for step in other.list_steps() if step["StepName"] == "Missing"]
    assert reasons == ["no-such-group"], other.list_steps()
else:
    raise AssertionError("the execution should have failed")
function.delete()
