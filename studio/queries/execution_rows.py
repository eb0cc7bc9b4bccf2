"""The table of a pipeline's executions: filters of `Search`, and the parameters by which executions differ."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from studio.definitions import Parameter
from studio.queries.executions import Execution

_EXECUTION_ID = re.compile(r"[a-z0-9]{12}", re.ASCII)


@dataclass(frozen=True)
class Filters:
    """Filters of a list of executions; empty for all.

    Attributes:
        text: Part of the display name, or the whole ID.
        first_day: The first day, in UTC, on which executions were started.
        last_day: The last such day.
    """

    status: str = ""
    text: str = ""
    first_day: date | None = None
    last_day: date | None = None

    def __bool__(self) -> bool:
        return bool(self.status or self.text or self.first_day or self.last_day)

    def expression(self, pipeline_arn: str) -> dict[str, Any]:
        """Return the SearchExpression of the executions of a pipeline."""
        filters = [_filter("PipelineArn", "Equals", pipeline_arn)]
        if self.status:
            filters.append(_filter("PipelineExecutionStatus", "Equals", self.status))
        if self.first_day:
            filters.append(_filter("CreationTime", "GreaterThanOrEqualTo", f"{self.first_day}T00:00:00"))
        if self.last_day:
            filters.append(_filter("CreationTime", "LessThan", f"{self.last_day + timedelta(days=1)}T00:00:00"))
        if not self.text:
            return {"Filters": filters}
        # an expression can have one Contains only
        texts = [_filter("PipelineExecutionDisplayName", "Contains", self.text)]
        if _EXECUTION_ID.fullmatch(self.text):
            texts.append(_filter("PipelineExecutionArn", "Equals", f"{pipeline_arn}/execution/{self.text}"))
        return {"Filters": filters, "SubExpressions": [{"Filters": texts, "Operator": "Or"}]}


@dataclass(frozen=True)
class DifferentParameter:
    """A parameter whose value differs from the default, or from that of the execution before.

    Attributes:
        default: The default of the definition; None if it has none.
        before: The value of the execution before; None if it is the same or not known.
    """

    name: str
    value: str
    default: str | None
    before: str | None


@dataclass(frozen=True)
class Row:
    execution: Execution
    parameters: tuple[DifferentParameter, ...]


def rows_of(executions: Sequence[Execution], declared: Sequence[Parameter], *, newest_first: bool) -> list[Row]:
    """Return executions with their parameters that differ.

    Args:
        executions: A page of executions.
        declared: The parameters of the definition.
        newest_first: Whether each execution is followed by the one before it; else values are not compared with it.
    """
    parameters = {parameter.name: parameter for parameter in declared}
    followed_by = [*executions, None][1:] if newest_first else [None] * len(executions)
    return [
        Row(execution, tuple(_different(execution.parameters, parameters, before.parameters if before else {})))
        for execution, before in zip(executions, followed_by, strict=True)
    ]


def _different(
    values: Mapping[str, str], declared: Mapping[str, Parameter], before: Mapping[str, str]
) -> list[DifferentParameter]:
    found = []
    for name, value in values.items():
        # an earlier version of the definition may have had further parameters
        parameter = declared.get(name, Parameter(name, "String", None, ()))
        changed = name in before and not parameter.are_equal(value, before[name])
        if changed or not parameter.is_default(value):
            found.append(DifferentParameter(name, value, parameter.default, before[name] if changed else None))
    return found


def _filter(name: str, operator: str, value: str) -> dict[str, str]:
    return {"Name": name, "Operator": operator, "Value": value}
