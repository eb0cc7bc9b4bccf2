"""The parameters of a pipeline with their descriptions, from which the parameter reference is generated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import get_type_hints

from sagemaker.core.workflow.parameters import Parameter


@dataclass(frozen=True)
class PipelineParameters:
    """Base of the parameters of a pipeline.

    Each field is a parameter, annotated with its description; pipeline definitions have no place for one. A field is
    None if the pipeline does not have the parameter.
    """

    def all(self) -> list[Parameter]:
        return [parameter for parameter, _ in self.descriptions()]

    def descriptions(self) -> Iterator[tuple[Parameter, str]]:
        """Yield every parameter with its description."""
        hints = get_type_hints(type(self), include_extras=True)
        for field in fields(self):
            parameter = getattr(self, field.name)
            if parameter is not None:
                yield parameter, hints[field.name].__metadata__[0]
