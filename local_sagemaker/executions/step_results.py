"""Persistent results of steps, so that no successful step has to run twice.

They are used when an execution is retried, and when another execution reuses them (SelectiveExecutionConfig). There is
one `step-result` record for each step, named `<execution id>/<step name>`. It is written before the step is listed as
Succeeded, so that every step listed as Succeeded has a result even if the server is killed in between.
"""

from __future__ import annotations

from local_sagemaker.storage.record_kinds import CALLBACK, EXECUTION_STEPS, STEP_RESULT
from local_sagemaker.storage.record_query import Query
from local_sagemaker.storage.records import DamagedRecord, Record, RecordStore

RESULTS, STEPS = STEP_RESULT, EXECUTION_STEPS


def save_result(store: RecordStore, execution_id: str, step: str, properties: Record) -> None:
    """Save the properties of a step, to which `Steps.<step>.<path>` refers."""
    store.put(RESULTS, f"{execution_id}/{step}", {"Properties": properties})


def finished_steps(store: RecordStore, execution_id: str) -> dict[str, tuple[Record, Record]]:
    """Return the summary and the properties of each succeeded step.

    A step whose result is missing or unreadable is left out, so that it runs again.
    """
    finished = {}
    for name, summary in readable_steps(store, execution_id).items():
        properties = _properties(store, execution_id, name)
        if summary.get("StepStatus") == "Succeeded" and properties is not None:
            finished[name] = (summary, properties)
    return finished


def step_summaries(store: RecordStore, execution_id: str) -> dict[str, Record]:
    """Return what ListPipelineExecutionSteps returns for each step of an execution, by name."""
    return (store.get(STEPS, execution_id) or {"Steps": {}})["Steps"]


def readable_steps(store: RecordStore, execution_id: str) -> dict[str, Record]:
    """Return `step_summaries`, or nothing if the record is damaged, so that the steps run again."""
    try:
        return step_summaries(store, execution_id)
    except DamagedRecord:
        # the store has logged it
        return {}


def save_steps(store: RecordStore, execution_id: str, steps: Record) -> None:
    """Replace the step summaries of an execution, even if their record is damaged."""
    try:
        store.update_best_effort(STEPS, execution_id, Steps=steps)
    except DamagedRecord:
        store.put(STEPS, execution_id, {"Steps": steps})


def delete_steps(store: RecordStore, execution_arn: str) -> None:
    """Delete the step summaries, results and callbacks of an execution."""
    execution_id = execution_arn.rpartition("/")[2]
    for token in store.names(Query(CALLBACK, equal={"parent": execution_arn})):
        store.delete(CALLBACK, token)
    for name in readable_steps(store, execution_id):
        store.delete(RESULTS, f"{execution_id}/{name}")
    store.delete(STEPS, execution_id)


def _properties(store: RecordStore, execution_id: str, step: str) -> Record | None:
    try:
        record = store.get(RESULTS, f"{execution_id}/{step}")
    except DamagedRecord:
        # the store has logged it
        return None
    return record and record["Properties"]
