"""The templates of each stage, and the values of their parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import boto3
import yaml

from project.errors import UserError
from project.paths import REPOSITORY
from project.settings import ImageSettings, Settings

StageName = Literal["staging", "prod"]

STORAGE = "storage-and-roles"
# in the order of deployment; training, and therefore the build, is in staging
TEMPLATES: dict[StageName, tuple[str, ...]] = {
    "staging": (STORAGE, "build", "deploy-on-approval", "dashboard"),
    "prod": (STORAGE, "promote", "retrain-on-drift", "dashboard"),
}
ALL_TEMPLATES = tuple(dict.fromkeys(name for names in TEMPLATES.values() for name in names))
# of images in other registries, roles need no permissions in IAM
_ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)"
)
TEMPLATE_FOLDER = REPOSITORY / "infrastructure" / "templates"


@dataclass(frozen=True)
class Template:
    """A template.

    Attributes:
        defaults: Default values by parameter; None for required parameters.
        descriptions: Descriptions by parameter.
    """

    name: str
    body: str
    defaults: Mapping[str, str | None]
    descriptions: Mapping[str, str]

    @property
    def has_builds(self) -> bool:
        """Whether the stack needs CodeBuild and CodePipeline, which the local SageMaker does not have."""
        return "AWS::CodeBuild::" in self.body

    @property
    def has_functions(self) -> bool:
        return "CodeKey" in self.defaults


def load_template(name: str) -> Template:
    """Load a template by name.

    Raises:
        UserError: The template does not exist.
    """
    path = TEMPLATE_FOLDER / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in TEMPLATE_FOLDER.glob("*.yaml")))
        raise UserError(f"unknown template {name!r}; choose one of {known}")
    body = path.read_text(encoding="utf-8")
    parameters = yaml.load(body, _Loader)["Parameters"]  # noqa: S506 - _Loader is a SafeLoader
    defaults = {key: str(item["Default"]) if "Default" in item else None for key, item in parameters.items()}
    return Template(name, body, defaults, {key: item["Description"] for key, item in parameters.items()})


def stack_name(settings: Settings, stage: StageName, template: str) -> str:
    return f"{settings.name}-{stage}-{template}"


def known_parameters(settings: Settings, settings_file: Path, stage: StageName) -> dict[str, str]:
    """Return the parameter values that follow from the settings, for all templates.

    Raises:
        UserError: The project's name is not valid as a part of all resource names.
    """
    if settings.name != settings.name.lower() or len(settings.name) > 35:
        raise UserError(
            f"name is {settings.name!r} in {settings_file}; stacks and endpoints need a name of at most 35 lower-case "
            "letters, digits and hyphens"
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
        "ImageRepositoryArns": ",".join(_repository_arns(settings.images)),
        "MlflowResource": settings.tracking.iam_resource if settings.tracking else "",
        "ModelMetricComparison": "GreaterThanThreshold" if quality.lower_is_better else "LessThanThreshold",
    }


def _repository_arns(images: ImageSettings) -> list[str]:
    """Return the ARNs of the ECR repositories of a project's own images, which the roles need permissions for."""
    found = [_ECR_IMAGE.match(uri) for uri in (images.processing, images.training, images.inference) if uri]
    arns = {
        f"arn:{boto3.session.Session().get_partition_for_region(match['region'])}:ecr:{match['region']}:"
        f"{match['account']}:repository/{match['repository']}"
        for match in found
        if match is not None
    }
    return sorted(arns)


def settings_path(settings_file: Path) -> str:
    """Return the path of the settings file relative to the repository's root, for builds.

    Raises:
        UserError: The file is outside the repository.
    """
    try:
        return settings_file.resolve().relative_to(REPOSITORY).as_posix()
    except ValueError:
        raise UserError(
            f"{settings_file} is outside the repository, where builds cannot read it; move it there"
        ) from None


def template_parameters(
    template: Template, known: Mapping[str, str], given: Mapping[str, str], previous: Mapping[str, str]
) -> dict[str, str]:
    """Return the values of a template's parameters.

    Args:
        template: The template.
        known: Values that follow from the settings.
        given: Values given by the user, which have precedence.
        previous: Values of the deployed stack, which have precedence over the template's defaults.

    Raises:
        UserError: A required parameter has no value.
    """
    values = {}
    for name, default in template.defaults.items():
        value = given.get(name, known.get(name, previous.get(name, default)))
        if value is None:
            raise UserError(
                f"template {template.name} needs the parameter {name} ({template.descriptions[name].rstrip('.')}); "
                f"give it with --parameter {name}=..., or select other templates with --stack"
            )
        values[name] = value
    return values


def parse_parameters(assignments: Sequence[str], templates: Sequence[Template]) -> dict[str, str]:
    """Parse `NAME=VALUE` assignments.

    Raises:
        UserError: An assignment is malformed, or no template has the parameter.
    """
    given = {}
    known = {name for template in templates for name in template.defaults}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise UserError(f"--parameter {assignment!r} is not of the form NAME=VALUE")
        if name not in known:
            raise UserError(f"no template has a parameter {name!r}; choose one of {', '.join(sorted(known))}")
        given[name] = value
    return given


# libyaml's parser, where PyYAML has been built with it, is seven times as fast
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):
    """A YAML loader that ignores CloudFormation's tags, such as !Sub."""


def _construct_untagged(loader: _Loader, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_mapping(node)


_Loader.add_multi_constructor("!", _construct_untagged)
