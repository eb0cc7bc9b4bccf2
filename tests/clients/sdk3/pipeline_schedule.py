"""A pipeline on a schedule: put_triggers, describe_trigger, delete_triggers of the SDK's Pipeline.

AWS documents PipelineSchedule; its triggers are schedules of EventBridge Scheduler.
"""

import time
from datetime import UTC, datetime, timedelta

import boto3
from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.core.workflow.conditions import ConditionEquals
from sagemaker.core.workflow.parameters import ParameterString
from sagemaker.mlops.workflow.condition_step import ConditionStep
from sagemaker.mlops.workflow.fail_step import FailStep
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.triggers import PipelineSchedule

NAME = "scheduled-by-the-sdk"

session = Session()
role = get_execution_role()
mode = ParameterString("Mode", default_value="quiet")
fail = FailStep("Loud", error_message="the pipeline was asked to fail")
check = ConditionStep("IsLoud", conditions=[ConditionEquals(left=mode, right="loud")], if_steps=[fail], else_steps=[])
pipeline = Pipeline(NAME, parameters=[mode], steps=[check], sagemaker_session=session)
pipeline.upsert(role_arn=role)

# at a time, in which the pipeline starts
soon = datetime.now(tz=UTC) + timedelta(seconds=3)
(once,) = pipeline.put_triggers([PipelineSchedule(name=f"{NAME}-once", at=soon)], role_arn=role)
assert once.endswith(f":schedule/default/{NAME}-once"), once

# created, then updated under the pipeline's name
start = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)
for schedule in (
    PipelineSchedule(rate=(1, "day"), start_date=start),
    PipelineSchedule(cron="0 8 ? * MON *", enabled=False),
):
    (arn,) = pipeline.put_triggers([schedule], role_arn=role)
trigger = pipeline.describe_trigger(NAME)
assert trigger["Schedule_Arn"] == arn
assert trigger["Schedule_Expression"] == "cron(0 8 ? * MON *)"
assert trigger["Schedule_State"] == "DISABLED"
assert trigger["Schedule_Role"] == role
(target,) = [boto3.client("scheduler").get_schedule(Name=NAME)["Target"]]
assert target["Arn"].endswith(f":pipeline/{NAME}")

deadline = time.monotonic() + 60
executions: list = []
while not executions or executions[0]["PipelineExecutionStatus"] == "Executing":
    assert time.monotonic() < deadline, f"the schedule started {len(executions)} executions"
    time.sleep(0.2)
    executions = pipeline.list_executions()["PipelineExecutionSummaries"]
assert [execution["PipelineExecutionStatus"] for execution in executions] == ["Succeeded"], executions

# the second time, there is only a warning
for _ in range(2):
    pipeline.delete_triggers([NAME, f"{NAME}-once"])
assert boto3.client("scheduler").list_schedules(NamePrefix=NAME)["Schedules"] == []
pipeline.delete()
