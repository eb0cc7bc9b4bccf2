import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_sagemaker.executions.definition import DefinitionError
from local_sagemaker.executions.selective_execution import reused_steps, selected_part
from local_sagemaker.protocol.errors import ServiceError
from tests.local_sagemaker.machine import TIMEOUT, Machine, Record
from tests.local_sagemaker.steps import condition, fail, output_of, parse, processing, run, statuses, write

COPY = "import shutil; shutil.copy('/opt/ml/processing/input/data/a', '/opt/ml/processing/output/out/a')"


def chain(machine: Machine) -> list[Record]:
    """First -> Second -> Third, where each step reads the output of the previous one."""
    return [
        processing(machine, "First", write("a", "1")),
        processing(machine, "Second", COPY, inputs={"data": {"S3Uri": output_of("First")}}),
        processing(machine, "Third", COPY, inputs={"data": {"S3Uri": output_of("Second")}}),
    ]


def start(machine: Machine, selected: list[str], source: str | None = None) -> str:
    """Start selected steps of the existing pipeline and wait for their end; return the execution's ARN."""
    config: Record = {"SelectedSteps": [{"StepName": name} for name in selected]}
    if source is not None:
        config["SourcePipelineExecutionArn"] = source
    token = f"{len(machine.store.all('pipeline-execution')):032}"
    request = {"PipelineName": "pipeline", "ClientRequestToken": token, "SelectiveExecutionConfig": config}
    arn = machine.service.call("StartPipelineExecution", request)["PipelineExecutionArn"]
    assert machine.executor.wait(arn, TIMEOUT)
    return arn


def status(machine: Machine, arn: str) -> str:
    return machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})["PipelineExecutionStatus"]


def reused(shown: dict[str, Record]) -> set[str]:
    return {name for name, step in shown.items() if "SelectiveExecutionResult" in step}


def test_selected_steps_run_on_the_results_of_the_source_execution(machine: Machine) -> None:
    source, before = run(machine, chain(machine))
    arn = start(machine, ["Third"], source["PipelineExecutionArn"])
    shown = machine.steps(arn)
    assert status(machine, arn) == "Succeeded"
    assert statuses(shown) == {"Second": "Succeeded", "Third": "Succeeded"}
    assert reused(shown) == {"Second"}
    assert shown["Second"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": source["PipelineExecutionArn"]}
    assert shown["Second"]["Metadata"] == before["Second"]["Metadata"]
    assert shown["Third"]["Metadata"] != before["Third"]["Metadata"]
    assert len(machine.store.all("processing-job")) == 4
    described = machine.service.call("DescribePipelineExecution", {"PipelineExecutionArn": arn})
    assert described["SelectiveExecutionConfig"]["SelectedSteps"] == [{"StepName": "Third"}]


def test_steps_without_dependencies_require_no_source_execution(machine: Machine) -> None:
    run(machine, chain(machine))
    arn = start(machine, ["First", "Second"])
    assert statuses(machine.steps(arn)) == {"First": "Succeeded", "Second": "Succeeded"}
    assert reused(machine.steps(arn)) == set()


def test_a_failed_or_a_selective_execution_can_be_the_source(machine: Machine) -> None:
    steps = chain(machine)
    failed, _ = run(machine, [*steps[:2], fail("Third", DependsOn=["Second"])])
    run(machine, steps)
    first = start(machine, ["Third"], failed["PipelineExecutionArn"])
    second = start(machine, ["Third"], first)
    assert status(machine, second) == "Succeeded"
    assert machine.steps(second)["Second"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": first}


def test_a_selected_step_can_read_a_property_file_of_the_source_execution(machine: Machine) -> None:
    auc = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.First.PropertyFiles.File"}, "Path": "auc"}}
    file = {"PropertyFileName": "File", "OutputName": "out", "FilePath": "file.json"}
    first = processing(machine, "First", write("file.json", json.dumps({"auc": 0.5})), PropertyFiles=[file])
    source, _ = run(machine, [first, fail("End", {"Std:Join": {"On": "", "Values": ["auc ", auc]}})])
    arn = start(machine, ["End"], source["PipelineExecutionArn"])
    assert machine.steps(arn)["End"]["FailureReason"] == "auc 0.5"


def test_only_steps_of_the_taken_branch_can_be_selected(machine: Machine) -> None:
    steps = [condition("Check", True, [processing(machine, "Yes")], [processing(machine, "No")])]
    source, _ = run(machine, steps)
    arn = start(machine, ["Yes"], source["PipelineExecutionArn"])
    assert statuses(machine.steps(arn)) == {"Check": "Succeeded", "Yes": "Succeeded"}
    assert reused(machine.steps(arn)) == {"Check"}
    with pytest.raises(ServiceError, match=r"No is in the branch of Check that .* did not take"):
        start(machine, ["No"], source["PipelineExecutionArn"])
    arn = start(machine, ["Check"])
    assert statuses(machine.steps(arn)) == {"Check": "Succeeded"}


def test_a_selective_execution_is_retried_without_the_source(machine: Machine, tmp_path: Any) -> None:
    mended = tmp_path / "mended"
    steps = chain(machine)
    steps[2] = processing(
        machine,
        "Third",
        "import pathlib, sys; sys.exit(not pathlib.Path(sys.argv[1]).exists())",
        arguments=(str(mended),),
        inputs={"data": {"S3Uri": output_of("Second")}},
    )
    source, _ = run(machine, steps)
    arn = start(machine, ["Third"], source["PipelineExecutionArn"])
    assert status(machine, arn) == "Failed"
    mended.touch()
    request = {"PipelineExecutionArn": arn, "ClientRequestToken": "r" * 32}
    machine.service.call("RetryPipelineExecution", request)
    assert machine.executor.wait(arn, TIMEOUT)
    assert status(machine, arn) == "Succeeded"
    assert reused(machine.steps(arn)) == {"Second"}


@pytest.mark.parametrize(
    ("selected", "source", "expected"),
    [
        (["Nope"], True, r"unknown step 'Nope' in SelectedSteps; the pipeline's steps: First, Second, Third"),
        (["First", "Third"], True, r"steps between selected steps must be selected, too: Second"),
        (["Third"], False, r"SourcePipelineExecutionArn: null. The selected steps \['Third'\] have dependencies on"),
    ],
)
def test_an_invalid_selection_is_rejected_immediately(
    machine: Machine, selected: list[str], source: bool, expected: str
) -> None:
    execution, _ = run(machine, chain(machine))
    with pytest.raises(ServiceError, match=f"ValidationException: .*{expected}"):
        start(machine, selected, execution["PipelineExecutionArn"] if source else None)
    assert len(machine.store.all("pipeline-execution")) == 1


def test_a_source_execution_without_the_required_results_is_rejected(machine: Machine) -> None:
    steps = chain(machine)
    failed, _ = run(machine, [fail("First"), fail("Second", DependsOn=[]), steps[0] | {"Name": "Third"}])
    machine.run_pipeline(steps)
    with pytest.raises(ServiceError, match=r"dependencies on \['Second'\].*not succeeded in a source execution"):
        start(machine, ["Third"], failed["PipelineExecutionArn"])
    running = machine.start_pipeline([processing(machine, "First", "import time; time.sleep(60)"), *steps[1:]])
    with pytest.raises(ServiceError, match=r"must be an execution of .*:pipeline/pipeline that has ended"):
        start(machine, ["Second"], running)


@given(st.data())
def test_a_selected_part_has_the_selected_steps_and_their_dependencies_in_a_valid_order(data: Any) -> None:
    names = [f"S{number}" for number in range(data.draw(st.integers(1, 8)))]
    steps = [
        {
            "Name": name,
            "Type": "Processing",
            "DependsOn": data.draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else [],
        }
        for place, name in enumerate(names)
    ]
    definition = parse(json.dumps({"Version": "2020-12-01", "Steps": steps}))
    selected = data.draw(st.sets(st.sampled_from(names), min_size=1))
    try:
        part = selected_part(definition, selected)
    except DefinitionError:
        return
    needed = reused_steps(definition, selected)
    assert part.steps.keys() == selected | needed
    assert not selected & needed
    for name, step in part.steps.items():
        assert step.dependencies == (definition.steps[name].dependencies if name in selected else set())
        assert step.dependencies <= part.steps.keys()
