"""The templates of each stage, and what their parameters are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from project.errors import UserError
from project.paths import REPOSITORY
from project.settings import Settings

Stage = Literal["staging", "prod"]

STORAGE = "storage-and-roles"
# in the order in which they are deployed; what trains, and so is built, is in staging
TEMPLATES: dict[Stage, tuple[str, ...]] = {
    "staging": (STORAGE, "build", "deploy-on-approval", "dashboard"),
    "prod": (STORAGE, "promote", "retrain-on-drift", "dashboard"),
}
ALL_TEMPLATES = tuple(dict.fromkeys(name for names in TEMPLATES.values() for name in names))
FOLDER = REPOSITORY / "infrastructure" / "templates"


@dataclass(frozen=True)
class Template:
    """defaults: of the parameters, None where there is none. descriptions: of the parameters too."""

    name: str
    body: str
    defaults: Mapping[str, str | None]
    descriptions: Mapping[str, str]

    @property
    def has_functions(self) -> bool:
        return "CodeKey" in self.defaults


def load_template(name: str) -> Template:
    """Raises:
    UserError: there is no such template.
    """
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml")))
        raise UserError(f"there is no template {name!r}; there are {known}")
    body = path.read_text(encoding="utf-8")
    parameters = yaml.load(body, _Loader)["Parameters"]  # noqa: S506, a SafeLoader
    defaults = {key: str(item["Default"]) if "Default" in item else None for key, item in parameters.items()}
    return Template(name, body, defaults, {key: item["Description"] for key, item in parameters.items()})


def stack_name(settings: Settings, stage: Stage, template: str) -> str:
    return f"{settings.name}-{stage}-{template}"


def known_parameters(settings: Settings, settings_file: Path, stage: Stage) -> dict[str, str]:
    """What follows from the settings, for all templates.

    Raises:
        UserError: the project's name can't be part of all names, or the settings file is not in the repository.
    """
    if settings.name != settings.name.lower() or len(settings.name) > 35:
        raise UserError(
            f"name is {settings.name!r} in {settings_file}; stacks, endpoints and their ARNs need lower-case letters, "
            "digits and hyphens, at most 35"
        )
    quality = settings.quality
    return {
        "ProjectName": settings.name,
        "ModelPackageGroupName": settings.model_package_group,
        "Stage": stage,
        "StorageStackName": stack_name(settings, stage, STORAGE),
        "TrainingStackName": "" if stage == "staging" else stack_name(settings, "staging", STORAGE),
        "PromotionPipelineName": f"{settings.name}-promote",
        "BuildProjectName": f"{settings.name}-build" if stage == "staging" else f"{settings.name}-{stage}-deploy",
        "ModelMetricName": "Model" + "".join(part.capitalize() for part in quality.metric.split("_")),
        "ModelMetricThreshold": f"{quality.threshold:g}",
        "ModelMetricComparison": "GreaterThanThreshold" if quality.lower_is_better else "LessThanThreshold",
    }


def settings_path(settings_file: Path) -> str:
    """The settings file as builds find it, from the repository's root.

    Raises:
        UserError: it is somewhere else.
    """
    try:
        return settings_file.resolve().relative_to(REPOSITORY).as_posix()
    except ValueError:
        raise UserError(f"{settings_file} is not in the repository, where builds find it; move it there") from None


def template_parameters(
    template: Template, known: Mapping[str, str], given: Mapping[str, str], previous: Mapping[str, str]
) -> dict[str, str]:
    """The values of a template's parameters: given ones, else known ones, else the stack's own, else the defaults.

    Raises:
        UserError: a parameter has none of these.
    """
    values = {}
    for name, default in template.defaults.items():
        value = given.get(name, known.get(name, previous.get(name, default)))
        if value is None:
            raise UserError(
                f"{template.name} needs the parameter {name} ({template.descriptions[name]}); give it with "
                f"--parameter {name}=..., or leave {template.name} out by naming others with --stack"
            )
        values[name] = value
    return values


def parse_parameters(texts: list[str], templates: list[Template]) -> dict[str, str]:
    """`NAME=VALUE` texts.

    Raises:
        UserError: one is not of that form, or no template has such a parameter.
    """
    given = {}
    known = {name for template in templates for name in template.defaults}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--parameter {text!r} is not of the form NAME=VALUE")
        if name not in known:
            raise UserError(f"none of the templates has a parameter {name!r}; they have {', '.join(sorted(known))}")
        given[name] = value
    return given


class _Loader(yaml.SafeLoader):
    """Reads past CloudFormation's tags such as !Sub."""


def _tagged(loader: _Loader, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node)


_Loader.add_multi_constructor("!", _tagged)
