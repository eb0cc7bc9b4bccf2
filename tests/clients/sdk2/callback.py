"""A Callback step: a client takes its message from the queue, works, and returns the token with outputs."""

import json
import time

from sagemaker import Session
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.parameters import ParameterInteger
from sagemaker.workflow.pipeline import Pipeline

session = Session()
sagemaker, sqs = session.sagemaker_client, session.boto_session.client("sqs")
queue = sqs.create_queue(QueueName="callback-2")["QueueUrl"]

rows = ParameterInteger(name="Rows", default_value=5)
approve = CallbackStep(
    name="Approve",
    sqs_queue_url=queue,
    inputs={"rows": rows, "kind": "weekly"},
    outputs=[CallbackOutput(output_name="score", output_type=CallbackOutputTypeEnum.Integer)],
)
good = ConditionGreaterThanOrEqualTo(left=approve.properties.Outputs["score"], right=10)
refuse = FailStep(name="Refuse", error_message="the score is too low")
check = ConditionStep(name="Check", conditions=[good], if_steps=[], else_steps=[refuse])
pipeline = Pipeline(name="callback-2", parameters=[rows], steps=[approve, check], sagemaker_session=session)
pipeline.upsert(role_arn="arn:aws:iam::123456789012:role/SageMakerExecutionRole")


def message() -> dict:
    received = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"][0]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=received["ReceiptHandle"])
    return json.loads(received["Body"])


def ended(arn: str) -> str:
    while True:
        status = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"]
        if status not in ("Executing", "Stopping"):
            return status
        time.sleep(0.1)


for score, expected in (("12", "Succeeded"), ("3", "Failed")):
    arn = pipeline.start({"Rows": 7}).arn
    body = message()
    assert body["arguments"] == {"rows": 7, "kind": "weekly"} and body["status"] == "Executing"
    assert body["pipelineExecutionArn"] == arn
    outputs = [{"Name": "score", "Value": score}]
    sagemaker.send_pipeline_execution_step_success(CallbackToken=body["token"], OutputParameters=outputs)
    assert ended(arn) == expected

arn = pipeline.start().arn
token = message()["token"]
steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
assert steps[0]["Metadata"]["Callback"]["CallbackToken"] == token
sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
assert message()["status"] == "Stopping"
sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="nobody is there")
assert ended(arn) == "Stopped"
