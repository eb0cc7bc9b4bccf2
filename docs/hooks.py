"""MkDocs hook: generates the reference of settings, pipeline parameters and commands from the code.

A page marks the place with `<!-- generated: settings -->`; GENERATORS has the others.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))


_MARK = re.compile(r"<!-- generated: (\w+) -->")

Schema = dict[str, Any]


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the marks of a page by what they stand for."""
    return _MARK.sub(lambda mark: GENERATORS[mark[1]](), markdown)


def settings_table() -> str:
    """Return a Markdown table for each section of the settings file."""
    from project.settings import Settings

    schema = Settings.model_json_schema()
    sections: dict[str, list[tuple[str, Schema, bool]]] = {}
    for section, key, field, required in _fields(schema, schema, ""):
        sections.setdefault(section, []).append((key, field, required))
    return "\n\n".join(
        f"## {section or 'Project'}\n\n"
        + _table(
            ("key", "default", "values", "meaning"),
            [
                (f"`{key}`", _default(field, required), _values(field), field.get("description", ""))
                for key, field, required in fields
            ],
        )
        for section, fields in sections.items()
    )


def _fields(schema: Schema, root: Schema, section: str) -> Iterator[tuple[str, str, Schema, bool]]:
    """Yield section, dotted key, JSON schema and whether it is required, of every setting."""
    for name, field in schema["properties"].items():
        key = f"{section}.{name}" if section else name
        # a section that may be missing is its schema or null
        parts = [*field.get("allOf", []), *field.get("anyOf", [])]
        reference = field.get("$ref") or next((part["$ref"] for part in parts if "$ref" in part), None)
        target = root["$defs"][reference.rpartition("/")[2]] if reference else field
        if target.get("properties"):
            yield from _fields(target, root, key)
        else:
            yield section, key, {**target, **field}, name in schema.get("required", [])


def _default(field: Schema, required: bool) -> str:
    if required:
        return "**required**"
    default = field.get("default")
    return "" if default in (None, [], {}, "") else f"`{json.dumps(default).strip(chr(34))}`"


def _values(field: Schema) -> str:
    """Return a field's values in words: an enumeration, a range or a type."""
    parts = [part for part in field.get("anyOf", [field]) if part.get("type") != "null"]
    return " or ".join(_part(part) for part in parts)


def _part(part: Schema) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "const" in part:
        return f"`{part['const']}`"
    if part.get("type") == "array":
        return f"list of {_part(part.get('items', {}))}"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {part[limit]:g}" for limit, sign in limits.items() if limit in part]
    return ", ".join([part.get("type", "any").replace("object", "mapping"), *bounds])


def metrics_table() -> str:
    """Return a Markdown table of the metrics that `quality` may name, by problem type."""
    from project.settings import LOWER_IS_BETTER, METRICS, OTHER_METRICS

    rows = [
        (
            f"`{problem_type}`",
            *(", ".join(f"`{metric}`" for metric in of[problem_type]) for of in (METRICS, OTHER_METRICS)),
        )
        for problem_type in METRICS
    ]
    table = _table(("problem_type", "quality.metric", "gates, champion and segment_gate also"), rows)
    lower = ", ".join(f"`{metric}`" for metric in sorted(LOWER_IS_BETTER))
    return f"{table}\n\nThe threshold is a maximum for {lower}, and a minimum for the others."


def bias_metrics_table() -> str:
    """Return Markdown tables of the metrics that `fairness.max` may limit, by what they are measured of."""
    from analyzer.bias.catalogue import METRICS, POST_TRAINING, PRE_TRAINING

    titles = {PRE_TRAINING: "Labels of the training data", POST_TRAINING: "Predictions for the test data"}
    heads = ("metric", "name", "meaning", "without bias")
    tables = []
    for stage, title in titles.items():
        rows = [
            (f"`{metric.name}`", metric.description.rpartition(" (")[0], metric.meaning, f"{metric.fair_value:g}")
            for metric in METRICS
            if metric.stage == stage
        ]
        tables.append(f"### {title}\n\n{_table(heads, rows)}")
    return "\n\n".join(tables)


def parameters_table() -> str:
    """Return a Markdown table of all parameters of each pipeline, with the defaults of the default example."""
    from pipelines.batch_inference.parameters import Parameters as BatchInferenceParameters
    from pipelines.monitoring.parameters import Parameters as MonitoringParameters
    from pipelines.training.parameters import Parameters as TrainingParameters
    from project.paths import DEFAULT_SETTINGS
    from project.settings import TuningSettings, load_settings

    settings = load_settings(DEFAULT_SETTINGS)
    # with what some of the parameters need
    on_spark = settings.resources.model_copy(update={"engine": "spark"})
    tuned = TuningSettings.model_validate({"ranges": {"max_depth": [4, 8]}})
    settings = settings.model_copy(update={"resources": on_spark, "tuning": tuned})
    pipelines = {
        "training": TrainingParameters.of(settings, None),
        "monitoring": MonitoringParameters.of(settings),
        "batch-inference": BatchInferenceParameters.of(settings),
    }
    heads = ("parameter", "type", "default in the example", "meaning")
    sections = []
    for name, parameters in pipelines.items():
        rows = [_parameter_row(*item) for item in parameters.descriptions()]
        sections.append(f"## {name}\n\n{_table(heads, rows)}")
    return "\n\n".join(sections)


def _parameter_row(parameter: Any, description: str) -> tuple[str, ...]:
    default = parameter.default_value
    values = ", ".join(f"`{value}`" for value in getattr(parameter, "enum_values", None) or [])
    return (
        f"`{parameter.name}`",
        parameter.parameter_type.value,
        "" if default in (None, "") else f"`{default}`",
        f"{description} One of {values}." if values else description,
    )


def commands_reference() -> str:
    """Return the help of every command, as typer writes it in Markdown."""
    import typer
    from typer.cli import get_docs_for_click

    from project.console import GROUPS

    pages = []
    for module, _ in GROUPS.values():
        command = typer.main.get_command(importlib.import_module(module).app)
        name = f"python -m {module.partition('.')[0]}"
        page = get_docs_for_click(obj=command, ctx=typer.Context(command), name=name)
        # one level down: the page has a title of its own
        pages.append(re.sub(r"^(#+) ", r"\1# ", page, flags=re.MULTILINE))
    return "\n\n".join(pages)


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in lines
    )


GENERATORS = {
    "settings": settings_table,
    "metrics": metrics_table,
    "bias_metrics": bias_metrics_table,
    "parameters": parameters_table,
    "commands": commands_reference,
}
