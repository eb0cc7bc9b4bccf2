"""Read a settings file, and say what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

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
        raise UserError(f"{path}:\n{_explain(error, content)}") from None
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
    """Reads booleans as YAML 1.2 has them: in YAML 1.1, the key `on` and the class `no` would be booleans, too.

    As in YAML 1.2, a key that is given twice is an error; PyYAML would take the last one.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        given: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in given:
                    raise yaml.constructor.ConstructorError(
                        problem=f"the key {key.value!r} is given twice", problem_mark=key.start_mark
                    )
                given.add(key.value)
        return super().construct_mapping(node, deep)


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


# pydantic's names of the types of a union, such as tuple[float, float]
_TYPE = re.compile(r"str|int|float|bool|[\w-]+\[.*\]")


def _explain(error: ValidationError, content: Any) -> str:
    """Return a line for each key that has problems: pydantic has one for each type that its value may have."""
    by_key: dict[tuple[str | int, ...], list[dict[str, Any]]] = {}
    for problem in error.errors():
        keys = _keys(problem["loc"], content)
        by_key.setdefault(keys, []).append(dict(problem) | {"of_union": len(keys) < len(problem["loc"]), "loc": keys})
    parents = {keys[:length] for keys in by_key for length in range(len(keys))}
    lines: list[str] = []
    for keys, problems in by_key.items():
        # a wrong item is not counted, and is the reason why the list as a whole is not of any type
        own = [
            problem
            for problem in problems
            if keys not in parents or not (problem["of_union"] or problem["type"] == "too_short")
        ]
        alternatives = [problem for problem in own if problem["of_union"] and problem["type"] != "value_error"]
        lines += [_explain_problem(problem) for problem in own if problem not in alternatives]
        if alternatives:
            expected = dict.fromkeys(_expected(problem).removeprefix("should be ") for problem in alternatives)
            lines.append(f"{_dotted(keys)} is {alternatives[0]['input']!r}; it should be {' or '.join(expected)}")
    return "\n".join(f"  {line}" for line in lines)


def _keys(location: tuple[str | int, ...], content: Any) -> tuple[str | int, ...]:
    """Return a location without the names of the types of a union, which are not keys of the file."""
    keys: list[str | int] = []
    for part in location:
        is_key = (isinstance(content, dict) and part in content) or isinstance(part, int)
        if is_key or not _TYPE.fullmatch(str(part)):
            keys.append(part)
            try:
                content = content[part]
            except (LookupError, TypeError):
                # a missing key, or one that stands in the file by an alias
                content = None
    return tuple(keys)


def _dotted(keys: tuple[str | int, ...]) -> str:
    return ".".join(map(str, keys))


def _explain_problem(problem: dict[str, Any]) -> str:
    key = _dotted(problem["loc"])
    if problem["type"] == "extra_forbidden":
        allowed = _allowed_keys(problem["loc"])
        return f"{key}: unknown key; " + (f"allowed here: {', '.join(allowed)}" if allowed else "remove it")
    if problem["type"] == "missing":
        return f"{key}: required, but missing; add it"
    if problem["type"] == "invalid_key":
        return f"{key}: expected a text as the key, found {problem['input']!r}; put it in quotes, or correct it"
    if problem["type"] == "value_error":
        message = _expected(problem)
        return f"{key}: {message}" if key else message
    return f"{key} is {problem['input']!r}; it {_expected(problem)}"


def _expected(problem: dict[str, Any]) -> str:
    message = re.sub(r"^(Value error, |Input |String |List |Tuple |Dictionary )", "", problem["msg"])
    # of a list, pydantic counts the valid items; of a text, it says that it tried to convert it
    message = re.sub(r" after validation|, unable to parse string as an? \w+", "", message)
    return _EXPECTED.get(problem["type"], message)


def _allowed_keys(location: tuple[str | int, ...]) -> list[str]:
    annotation: Any = Settings
    for part in location[:-1]:
        annotation = _annotation_below(annotation, part)
    return [name for section in _alternatives(annotation) for name in getattr(section, "model_fields", ())]


def _annotation_below(annotation: Any, part: str | int) -> Any:
    """Return the type of the value at a key of a section or mapping, or at an index of a list."""
    for kind in _alternatives(annotation):
        if hasattr(kind, "model_fields") and part in kind.model_fields:
            return kind.model_fields[part].annotation
        if get_origin(kind) is dict:
            return get_args(kind)[1]
        if get_origin(kind) is tuple and isinstance(part, int):
            return get_args(kind)[0]
    return None


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """Return the types of a union, such as `Section | None`; else the type itself."""
    return get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
