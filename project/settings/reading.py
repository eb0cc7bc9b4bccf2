"""Read a settings file, and say what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import ValidationError

from project.errors import UserError
from project.s3_uris import is_s3_uri
from project.settings.project import Settings


def load_settings(path: Path) -> Settings:
    """Read and validate a settings file; `data.input` and `data.features` are relative to its folder.

    Raises:
        UserError: The file is missing or not YAML, or a key or value is not allowed.
    """
    try:
        content = _Loader(path.read_text(encoding="utf-8")).get_single_data()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give an existing file with --settings") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys and values such as 'name: my-model', found {content!r}")
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}:\n{_explain(error)}") from None
    resolved = {}
    if settings.data.input is not None and not is_s3_uri(settings.data.input):
        resolved["input"] = str(path.parent / settings.data.input)
    if settings.data.features is not None:
        features = path.parent / settings.data.features
        if not features.is_file():
            raise UserError(f"{path}: data.features: {features} does not exist; write it, or remove the setting")
        resolved["features"] = str(features)
    return settings.model_copy(update={"data": settings.data.model_copy(update=resolved)})


class _Loader(yaml.SafeLoader):
    """Reads booleans as YAML 1.2 has them: in YAML 1.1, the key `on` and the class `no` would be booleans, too."""


_BOOLEAN = "tag:yaml.org,2002:bool"
_Loader.yaml_implicit_resolvers = {
    character: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOLEAN]
    for character, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"])


# pydantic's messages of these name types of Python, which a settings file does not have.
_EXPECTED = {
    **dict.fromkeys(("list_type", "tuple_type"), "should be a list, such as [a, b]"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "should be a section with keys of its own"),
}


def _explain(error: ValidationError) -> str:
    return "\n".join(f"  {_explain_problem(dict(problem))}" for problem in error.errors())


def _explain_problem(problem: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        allowed = _allowed_keys(problem["loc"])
        return f"{key}: unknown key; " + (f"allowed here: {', '.join(allowed)}" if allowed else "remove it")
    if problem["type"] == "missing":
        return f"{key}: required, but missing; add it"
    if problem["type"] == "invalid_key":
        return f"{key}: expected a text as the key, found {problem['input']!r}; put it in quotes, or correct it"
    message = re.sub(r"^(Value error, |Input |String |List |Tuple |Dictionary )", "", problem["msg"])
    if problem["type"] == "value_error":
        return f"{key}: {message}" if key else message
    return f"{key} is {problem['input']!r}; it {_EXPECTED.get(problem['type'], message)}"


def _allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    section: Any = Settings
    for part in location[:-1]:
        if isinstance(part, int):
            continue  # an item of a list of sections
        annotation = section.model_fields[part].annotation
        # a section that may be missing is declared as `Section | None`
        section = next((item for item in get_args(annotation) if hasattr(item, "model_fields")), annotation)
    return list(section.model_fields)
