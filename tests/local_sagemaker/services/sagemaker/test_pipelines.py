import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.sagemaker.service import SageMakerService
from tests.local_sagemaker.machine import ROLE, TIMEOUT, Machine

PARAMETERS = [
    {"Name": "Rounds", "Type": "Integer", "DefaultValue": 10},
    {"Name": "Status", "Type": "String", "DefaultValue": "Pending", "EnumValues": ["Pending", "Approved"]},
    {"Name": "Rate", "Type": "Float", "DefaultValue": 0.05},
    {"Name": "Check", "Type": "Boolean", "DefaultValue": True},
]
FAIL = [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Status"}}}]
SLEEP = "import time; time.sleep(60)"


def definition(steps: list[dict] = FAIL, parameters: list[dict] = PARAMETERS, **more: Any) -> str:
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": steps, **more})


@pytest.fixture
def sagemaker(machine: Machine) -> SageMakerService:
    return machine.service


def create(sagemaker: SageMakerService, name: str = "Churn", text: str = "", token: str = "t" * 32, **more: Any) -> str:
    text = text or definition()
    source = {} if "PipelineDefinitionS3Location" in more else {"PipelineDefinition": text}
    request = {"PipelineName": name, "RoleArn": ROLE, "ClientRequestToken": token, **source, **more}
    return sagemaker.call("CreatePipeline", request)["PipelineArn"]


def start(machine: Machine, token: str = "s" * 32, wait: bool = True, **more: Any) -> str:
    request = {"PipelineName": "Churn", "ClientRequestToken": token, **more}
    arn = machine.service.call("StartPipelineExecution", request)["PipelineExecutionArn"]
    if wait:
        assert machine.executor.wait(arn, TIMEOUT)
    return arn


def refused(sagemaker: SageMakerService, operation: str, **request: Any) -> tuple[str, str]:
    with pytest.raises(ServiceError) as raised:
        sagemaker.call(operation, request)
    return raised.value.code, raised.value.message


def given(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


# pipelines


def transform(**options: Any) -> list[dict]:
    return [{"Name": "Score", "Type": "Transform", "Arguments": {"TransformInput": {"ContentType": "a", **options}}}]


def test_a_step_with_an_option_that_is_not_implemented_is_refused_before_anything_runs(
    sagemaker: SageMakerService,
) -> None:
    code, message = refused(
        sagemaker,
        "CreatePipeline",
        PipelineName="Churn",
        RoleArn=ROLE,
        ClientRequestToken="t" * 32,
        PipelineDefinition=definition(transform(SplitType="RecordIO")),
    )
    assert (code, message) == (
        "ValidationException",
        "Unable to parse pipeline definition. step 'Score': CreateTransformJob: the local SageMaker does not implement "
        "TransformInput.SplitType 'RecordIO'; use None or Line",
    )


def test_an_option_that_an_expression_gives_is_left_to_the_step(sagemaker: SageMakerService) -> None:
    create(sagemaker, text=definition(transform(SplitType={"Get": "Parameters.Status"})))


def test_a_pipeline_is_described_by_name_and_arn_in_any_case(sagemaker: SageMakerService) -> None:
    text = definition() + "\n  \n"
    arn = create(sagemaker, text=text, PipelineDescription="of customers", Tags=[{"Key": "a", "Value": "b"}])
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:pipeline/churn"
    for name in ("Churn", "churn", arn):
        described = sagemaker.call("DescribePipeline", {"PipelineName": name})
        assert described["PipelineDefinition"] == text
        assert (described["PipelineName"], described["PipelineStatus"]) == ("Churn", "Active")
        assert described["PipelineDescription"] == "of customers"
        assert "LastRunTime" not in described and "ClientRequestToken" not in described
    assert sagemaker.call("ListTags", {"ResourceArn": arn})["Tags"] == [{"Key": "a", "Value": "b"}]


def test_a_name_is_taken_once(sagemaker: SageMakerService) -> None:
    arn = create(sagemaker)
    code, message = refused(
        sagemaker,
        "CreatePipeline",
        PipelineName="Churn",
        RoleArn=ROLE,
        PipelineDefinition=definition(),
        ClientRequestToken="u" * 32,
    )
    # the SDK's upsert looks for these very words
    assert (code, "Pipeline names must be unique within an AWS account and region" in message) == (
        "ValidationException",
        True,
    )
    assert create(sagemaker) == arn, "the same request, sent again after its answer got lost, is no conflict"


def test_a_definition_can_be_in_s3(machine: Machine) -> None:
    text = definition() + " "
    machine.put("s3://bucket/definition.json", text)
    location = {"Bucket": "bucket", "ObjectKey": "definition.json", "VersionId": "null"}
    create(machine.service, PipelineDefinitionS3Location=location)
    assert machine.service.call("DescribePipeline", {"PipelineName": "Churn"})["PipelineDefinition"] == text
    code, message = refused(
        machine.service,
        "UpdatePipeline",
        PipelineName="Churn",
        PipelineDefinitionS3Location={"Bucket": "bucket", "ObjectKey": "nope.json"},
    )
    assert (code, "s3://bucket/nope.json" in message) == ("ValidationException", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "Version"),
        (definition(Version="2019-01-01"), "2019-01-01"),
        (definition([*FAIL, *FAIL]), "two steps have the name 'Stop'"),
        (
            definition([{"Name": "Wait", "Type": "Unheard", "Arguments": {}}]),
            "'Wait' has the unsupported type 'Unheard'; supported types: Callback, ClarifyCheck, ",
        ),
        (
            definition([{"Name": "Count", "Type": "EMR", "Arguments": {}}]),
            "step 'Count' has the unsupported type 'EMR'; instead, run the script in a Processing step ",
        ),
        (
            definition(
                [
                    {
                        "Name": "Look",
                        "Type": "Training",
                        "Arguments": {
                            "AlgorithmSpecification": {"ContainerEntrypoint": ["amazon_sagemaker_scheduler"]}
                        },
                    }
                ]
            ),
            "step 'Look' runs a notebook job, which is not supported on this machine; run the notebook in a Processing",
        ),
        (
            definition(
                [{"Name": "P", "Type": "Processing", "Arguments": {"AppSpecification": {"ImageUri": "my/image:1"}}}]
            ),
            "step 'P': image 'my/image:1' cannot run on this machine",
        ),
    ],
)
def test_a_definition_that_cannot_run_is_refused_and_not_stored(
    text: str, words: str, sagemaker: SageMakerService
) -> None:
    request = {"PipelineName": "Churn", "RoleArn": ROLE, "PipelineDefinition": text, "ClientRequestToken": "t" * 32}
    code, message = refused(sagemaker, "CreatePipeline", **request)
    assert code == "ValidationException"
    assert message.startswith("Unable to parse pipeline definition. ") and words in message
    assert sagemaker.call("ListPipelines", {}) == {"PipelineSummaries": []}


def test_an_execution_keeps_the_definition_it_was_started_with(machine: Machine) -> None:
    old, new = definition(), definition() + " "
    create(machine.service, text=old)
    first = start(machine)
    updated = machine.service.call("UpdatePipeline", {"PipelineName": "Churn", "PipelineDefinition": new})
    assert updated["PipelineVersionId"] == 2
    second, third = start(machine, "2" * 32), start(machine, "3" * 32, PipelineVersionId=1)

    def text(arn: str) -> str:
        query = {"PipelineExecutionArn": arn}
        return machine.service.call("DescribePipelineDefinitionForExecution", query)["PipelineDefinition"]

    assert [text(first), text(second), text(third)] == [old, new, old]
    described = [
        machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn}) for arn in (first, second)
    ]
    assert [one["PipelineVersionId"] for one in described] == [1, 2]
    versions = machine.service.call("ListPipelineVersions", {"PipelineName": "Churn"})["PipelineVersionSummaries"]
    assert [version["PipelineVersionId"] for version in versions] == [2, 1]
    query = {"PipelineName": "Churn", "PipelineVersionId": 1}
    assert machine.service.call("DescribePipeline", query)["PipelineDefinition"] == old
    assert (
        refused(machine.service, "DescribePipeline", PipelineName="Churn", PipelineVersionId=3)[0] == "ResourceNotFound"
    )


def test_an_update_keeps_members_that_it_does_not_have(sagemaker: SageMakerService) -> None:
    create(sagemaker, PipelineDescription="old")
    before = sagemaker.call("DescribePipeline", {"PipelineName": "Churn"})
    sagemaker.call("UpdatePipeline", {"PipelineName": "Churn", "PipelineDisplayName": "Shown"})
    after = sagemaker.call("DescribePipeline", {"PipelineName": "Churn"})
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"PipelineDisplayName", "LastModifiedTime"}


def test_a_missing_pipeline_is_named(sagemaker: SageMakerService) -> None:
    for operation in ("DescribePipeline", "UpdatePipeline", "ListPipelineExecutions"):
        code, message = refused(sagemaker, operation, PipelineName="Nope")
        assert (code, message) == (
            "ResourceNotFound",
            "Pipeline 'arn:aws:sagemaker:us-east-1:123456789012:pipeline/nope' does not exist.",
        )


def test_pipelines_are_listed_in_pages_newest_first(sagemaker: SageMakerService) -> None:
    for number in range(23):
        create(sagemaker, f"P{number:02}")
    names, token = [], {}
    while True:
        page = sagemaker.call("ListPipelines", {"MaxResults": 5, **token})
        names += [one["PipelineName"] for one in page["PipelineSummaries"]]
        if "NextToken" not in page:
            break
        if len(names) == 10:  # what comes and goes between two pages makes no other appear twice or never
            create(sagemaker, "P99")
            sagemaker.call("DeletePipeline", {"PipelineName": "P22", "ClientRequestToken": "d" * 32})
        token = {"NextToken": page["NextToken"]}
    assert names == [f"P{number:02}" for number in reversed(range(23))]
    by_name = sagemaker.call("ListPipelines", {"SortBy": "Name", "SortOrder": "Ascending", "PipelineNamePrefix": "P1"})
    assert [one["PipelineName"] for one in by_name["PipelineSummaries"]] == [f"P1{digit}" for digit in range(10)]
    assert refused(sagemaker, "ListPipelines", NextToken="nonsense")[0] == "ValidationException"
    assert refused(sagemaker, "ListPipelines", SortBy="Name", NextToken=token["NextToken"])[0] == "ValidationException"


def test_deleting_a_pipeline_deletes_its_executions(machine: Machine) -> None:
    create(machine.service)
    arn = start(machine)
    machine.service.call("DeletePipeline", {"PipelineName": "Churn", "ClientRequestToken": "d" * 32})
    assert refused(machine.service, "DescribePipelineExecution", PipelineExecutionArn=arn)[0] == "ResourceNotFound"
    assert create(machine.service, token="v" * 32)
    assert machine.service.call("ListPipelineExecutions", {"PipelineName": "Churn"})["PipelineExecutionSummaries"] == []


# executions


def test_every_parameter_of_an_execution_is_listed_defaults_included(machine: Machine) -> None:
    create(machine.service)
    arn = start(machine, PipelineParameters=given(Rounds="20"))
    answer = machine.service.call("ListPipelineParametersForExecution", {"PipelineExecutionArn": arn})
    assert answer == {"PipelineParameters": given(Check="true", Rate="0.05", Rounds="20", Status="Pending")}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (given(Nope="1"), "unknown parameter 'Nope'; the pipeline's parameters: Rounds, Status, Rate, Check"),
        (given(Status="Rejected"), "must be one of Pending, Approved, not 'Rejected'"),
        (given(Rounds="many"), "'Rounds' must be an integer, not 'many'"),
        (given(Rounds=""), "'Rounds' is an empty string"),
        (given(Rounds="1") + given(Rounds="2"), "given twice"),
    ],
)
def test_invalid_parameters_are_refused_and_nothing_starts(parameters: list, words: str, machine: Machine) -> None:
    create(machine.service)
    code, message = refused(
        machine.service,
        "StartPipelineExecution",
        PipelineName="Churn",
        ClientRequestToken="s" * 32,
        PipelineParameters=parameters,
    )
    assert (code, words in message) == ("ValidationException", True), message
    assert machine.store.all("pipeline-execution") == []


def test_a_parameter_without_default_must_be_given(machine: Machine) -> None:
    create(machine.service, text=definition(parameters=[{"Name": "Status", "Type": "String"}]))
    code, message = refused(
        machine.service, "StartPipelineExecution", PipelineName="Churn", ClientRequestToken="s" * 32
    )
    assert (code, "'Status' has no default" in message) == ("ValidationException", True)


def test_requests_with_the_same_token_start_one_execution(machine: Machine) -> None:
    create(machine.service)
    request = {"PipelineName": "Churn", "ClientRequestToken": "s" * 32}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: machine.service.call("StartPipelineExecution", request), range(16)))
    assert len({answer["PipelineExecutionArn"] for answer in answers}) == 1
    assert len(machine.store.all("pipeline-execution")) == 1


def test_an_execution_is_described_and_listed(machine: Machine) -> None:
    create(machine.service, ParallelismConfiguration={"MaxParallelExecutionSteps": 3})
    first = start(machine, PipelineExecutionDisplayName="monday", PipelineExecutionDescription="of the week")
    second = start(machine, "2" * 32, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    described = machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": first})
    assert described["PipelineExecutionDisplayName"] == "monday"
    assert described["PipelineExecutionStatus"] == "Failed"
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    assert described["CreationTime"] <= described["LastModifiedTime"] <= time.time()
    assert not {"DefinitionDigest", "PipelineParameters", "SelectiveExecutionConfig"} & described.keys()
    summaries = machine.service.call("ListPipelineExecutions", {"PipelineName": "Churn"})["PipelineExecutionSummaries"]
    assert [one["PipelineExecutionArn"] for one in summaries] == [second, first]
    assert summaries[1]["PipelineExecutionFailureReason"] == described["FailureReason"]
    pipeline = machine.service.call("DescribePipeline", {"PipelineName": "Churn"})
    assert pipeline["LastRunTime"] == summaries[0]["StartTime"]
    request = {"PipelineExecutionArn": first, "PipelineExecutionDisplayName": "tuesday"}
    machine.service.call("UpdatePipelineExecution", request)
    described = machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": first})
    assert described["PipelineExecutionDisplayName"] == "tuesday"
    assert described["PipelineExecutionDescription"] == "of the week"


def test_an_execution_has_the_definitions_mlflow_config_with_the_experiment_of_its_own(machine: Machine) -> None:
    config = {"MlflowResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-1"}
    text = json.loads(definition()) | {"MlflowConfig": {**config, "MlflowExperimentName": "churn"}}
    create(machine.service, text=json.dumps(text))
    call, described = machine.service.call, []
    for arn in (start(machine), start(machine, "2" * 32, MlflowExperimentName="trial")):
        described.append(call("DescribePipelineExecution", {"PipelineExecutionArn": arn})["MLflowConfig"])
    assert described == [{**config, "MlflowExperimentName": name} for name in ("churn", "trial")]
    create(machine.service, "Other")
    request = {"PipelineName": "Other", "ClientRequestToken": "3" * 32, "MlflowExperimentName": "trial"}
    assert "this definition has none" in refused(machine.service, "StartPipelineExecution", **request)[1]


def test_steps_that_were_reached_are_listed_newest_first(machine: Machine) -> None:
    quick = machine.processing_arguments("quick", "print('done')")
    create(
        machine.service,
        text=definition(
            [
                {"Name": "First", "Type": "Processing", "Arguments": quick},
                {"Name": "Second", "Type": "Fail", "Arguments": {"ErrorMessage": "enough"}, "DependsOn": ["First"]},
                {
                    "Name": "Never",
                    "Type": "Condition",
                    "Arguments": {
                        "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 2}],
                        "IfSteps": [{"Name": "Not", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
                        "ElseSteps": [],
                    },
                    "DependsOn": ["First"],
                },
            ]
        ),
    )
    query = {"PipelineExecutionArn": start(machine)}
    steps = machine.service.call("ListPipelineExecutionSteps", query)["PipelineExecutionSteps"]
    names = [step["StepName"] for step in steps]
    assert names[-1] == "First" and "Not" not in names
    assert [step["StartTime"] for step in steps] == sorted((step["StartTime"] for step in steps), reverse=True)
    first = steps[-1]
    assert (first["StepStatus"], first["Metadata"].keys()) == ("Succeeded", {"ProcessingJob"})
    page = machine.service.call("ListPipelineExecutionSteps", {**query, "SortOrder": "Ascending", "MaxResults": 1})
    assert [step["StepName"] for step in page["PipelineExecutionSteps"]] == ["First"]
    rest = machine.service.call(
        "ListPipelineExecutionSteps", {**query, "SortOrder": "Ascending", "NextToken": page["NextToken"]}
    )
    assert [step["StepName"] for step in rest["PipelineExecutionSteps"]] == names[-2::-1]


def test_a_running_execution_can_be_stopped_and_keeps_its_pipeline_from_being_deleted(machine: Machine) -> None:
    step = {"Name": "Long", "Type": "Processing", "Arguments": machine.processing_arguments("long", SLEEP)}
    create(machine.service, text=definition([step]))
    arn = start(machine, wait=False)
    code, message = refused(machine.service, "DeletePipeline", PipelineName="Churn", ClientRequestToken="d" * 32)
    assert (code, arn in message) == ("ConflictException", True)
    stop = {"PipelineExecutionArn": arn, "ClientRequestToken": "x" * 32}
    assert machine.service.call("StopPipelineExecution", stop) == {"PipelineExecutionArn": arn}
    assert machine.executor.wait(arn, TIMEOUT)
    described = machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})
    assert described["PipelineExecutionStatus"] == "Stopped"
    assert refused(machine.service, "StopPipelineExecution", **stop)[0] == "ConflictException"


def test_pipelines_and_executions_survive_a_restart(machine: Machine, tmp_path: Path) -> None:
    create(machine.service)
    query = {"PipelineExecutionArn": start(machine)}
    again = Machine(tmp_path).service
    for operation, request in (
        ("DescribePipeline", {"PipelineName": "Churn"}),
        ("DescribePipelineExecution", query),
        ("DescribePipelineDefinitionForExecution", query),
        ("ListPipelineExecutionSteps", query),
        ("ListPipelineParametersForExecution", query),
    ):
        assert again.call(operation, request) == machine.service.call(operation, request)
