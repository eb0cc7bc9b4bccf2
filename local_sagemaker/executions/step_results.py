"""What the steps of executions have come to, kept on disk so that no finished step is run twice: when an execution is
retried, and when another one takes up its results (SelectiveExecutionConfig).

One record a step, `<execution id>/<step name>`. It is written before the step is shown as Succeeded: a step that is,
has a result, whenever the server was killed.
"""

from __future__ import annotations

from local_sagemaker.storage.record_kinds import EXECUTION_STEPS, STEP_RESULT
from local_sagemaker.storage.records import DamagedRecord, Record, RecordStore

KIND, SHOWN = STEP_RESULT, EXECUTION_STEPS


def keep_result(store: RecordStore, execution_id: str, step: str, properties: Record) -> None:
    """Keep what `Steps.<step>.<path>` finds in an execution."""
    store.put(KIND, f"{execution_id}/{step}", {"Properties": properties})


def finished_steps(store: RecordStore, execution_id: str) -> dict[str, tuple[Record, Record]]:
    """What ListPipelineExecutionSteps shows of each step that has succeeded, and its properties.

    A step whose result is no more, or cannot be read, is left out: it can be run again.
    """
    finished = {}
    for name, shown in readable_steps(store, execution_id).items():
        properties = _properties(store, execution_id, name)
        if shown["StepStatus"] == "Succeeded" and properties is not None:
            finished[name] = (shown, properties)
    return finished


def shown_steps(store: RecordStore, execution_id: str) -> dict[str, Record]:
    """What ListPipelineExecutionSteps shows of an execution's steps, by name."""
    return (store.get(SHOWN, execution_id) or {"Steps": {}})["Steps"]


def readable_steps(store: RecordStore, execution_id: str) -> dict[str, Record]:
    """What `shown_steps` gives, and nothing where that cannot be read: the steps can be run again."""
    try:
        return shown_steps(store, execution_id)
    except DamagedRecord:  # the store has logged it
        return {}


def show_steps(store: RecordStore, execution_id: str, steps: Record) -> None:
    """Set what `shown_steps` gives, over what cannot be read, too."""
    try:
        store.update_best_effort(SHOWN, execution_id, Steps=steps)
    except DamagedRecord:
        store.put(SHOWN, execution_id, {"Steps": steps})


def forget_steps(store: RecordStore, execution_id: str) -> None:
    """Delete all that is known of an execution's steps."""
    for name in readable_steps(store, execution_id):
        store.delete(KIND, f"{execution_id}/{name}")
    store.delete(SHOWN, execution_id)


def _properties(store: RecordStore, execution_id: str, step: str) -> Record | None:
    try:
        record = store.get(KIND, f"{execution_id}/{step}")
    except DamagedRecord:  # the store has logged it
        return None
    return record and record["Properties"]
