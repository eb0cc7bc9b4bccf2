"""MkDocs hook: generates the reference of settings, pipeline parameters, commands and supported APIs from the code.

A page marks the place with `<!-- generated: settings -->`; GENERATORS has the others.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
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


def operations_tables() -> str:
    """Return Markdown tables of SageMaker's operations: those that are implemented, and how others are answered."""
    from local_sagemaker.protocol.shapes import service_model
    from local_sagemaker.services.sagemaker.service import OPERATIONS
    from local_sagemaker.services.sagemaker.unsupported import FAMILIES, OTHERS, Answer, answer_of, family_of

    names = service_model("sagemaker").operation_names
    others = [name for name in names if name not in OPERATIONS]
    answers = {name: answer_of(name, OPERATIONS) for name in others}
    counts = Counter(answers.values())
    summary = (
        f"Of {len(names)} operations, {len(OPERATIONS)} are implemented. {counts[Answer.EMPTY]} list what cannot exist "
        f"here, and are empty; {counts[Answer.NOT_FOUND]} are about a resource that cannot exist, and answer "
        f"`ResourceNotFound`; {counts[Answer.REFUSED]} are refused. The message of an error says what to do instead:"
    )
    rows = []
    for family in (*FAMILIES, OTHERS):
        members = [name for name in others if family_of(name) is family]
        empty = [f"`{name}`" for name in members if answers[name] is Answer.EMPTY]
        if members:
            rows.append((family.name, str(len(members)), ", ".join(empty), family.instead))
    heads = ("not implemented", "operations", "of them empty", "instead")
    implemented = _table(("resource", "operations"), [(noun, verbs) for noun, verbs in _verbs(OPERATIONS).items()])
    return f"{implemented}\n\n{summary}\n\n{_table(heads, rows)}"


def _verbs(operations: Iterable[str]) -> dict[str, str]:
    """Return the verbs of operations by what they are about, such as `Create, Describe` of `TrainingJob`."""
    from local_sagemaker.services.sagemaker.unsupported import verb_and_noun

    verbs: dict[str, list[str]] = {}
    for operation in operations:
        verb, noun = verb_and_noun(operation)
        verbs.setdefault(noun, []).append(verb)
    # the plural of lists
    for plural in [noun for noun in verbs if noun.endswith("s") and noun.removesuffix("s") in verbs]:
        verbs[plural.removesuffix("s")] += verbs.pop(plural)
    return {noun: ", ".join(sorted(names)) for noun, names in sorted(verbs.items())}


def services_table() -> str:
    """Return a Markdown table of the services beside SageMaker's API, with the operations that are implemented."""
    from local_sagemaker.endpoints.invocations import OPTIONS as RUNTIME
    from local_sagemaker.protocol.shapes import service_model
    from local_sagemaker.services.athena.service import OPERATIONS as ATHENA
    from local_sagemaker.services.feature_store.service import OPERATIONS as FEATURE_STORE
    from local_sagemaker.services.lambda_.service import OPERATIONS as LAMBDA
    from local_sagemaker.services.logs.service import OPERATIONS as LOGS
    from local_sagemaker.services.moto.journal import SERVICES
    from local_sagemaker.services.s3.service import OPERATIONS as S3

    implemented = {
        "s3": S3,
        "lambda": LAMBDA,
        "logs": LOGS,
        "athena": ATHENA,
        "sagemaker-featurestore-runtime": FEATURE_STORE,
        RUNTIME.service: ["InvokeEndpoint"],
    }
    rows = [
        (
            f"`{service}`",
            f"{len(operations)} of {len(service_model(service).operation_names)}",
            "; ".join(f"{noun} ({verbs})" if noun else verbs for noun, verbs in _verbs(operations).items()),
        )
        for service, operations in implemented.items()
    ]
    table = _table(("service", "implemented", "operations"), rows)
    kept = ", ".join(f"`{service}`" for service in SERVICES)
    return (
        f"{table}\n\nServices that are not in this table, and other operations of `logs` and `athena`, are answered by "
        f"moto. What clients change in {kept} survives a restart of the server."
    )


def steps_and_images_tables() -> str:
    """Return Markdown tables of the step types of pipelines, and of container images."""
    from local_sagemaker.containers.images.images import SUPPORTED
    from local_sagemaker.executions.definition import INSTEAD
    from local_sagemaker.executions.steps import STEP_TYPES

    steps = ", ".join(f"`{name}`" for name in STEP_TYPES)
    images = {image for supported in SUPPORTED.values() for image in supported}
    kinds = {"processing-job": "processing", "training-job": "training", "model": "hosting and batch transform"}
    rows = [
        (f"`{image.value}`", ", ".join(text for kind, text in kinds.items() if image in SUPPORTED[kind]))
        for image in sorted(images, key=lambda image: image.value)
    ]
    refused = _table(("step type that is refused", "instead"), [(f"`{name}`", text) for name, text in INSTEAD.items()])
    return f"Step types: {steps}.\n\n{refused}\n\n{_table(('image, in any version', 'for'), rows)}"


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
    "operations": operations_tables,
    "services": services_table,
    "steps_and_images": steps_and_images_tables,
}
