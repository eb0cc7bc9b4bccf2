"""Validation of requests, and shaping of responses, by botocore's models of the services."""

import functools
import math
import re
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

from local_sagemaker.protocol.errors import ServiceError


@functools.cache
def service_model(service: str) -> ServiceModel:
    """Load the model of a service, e.g. `sagemaker`, which takes 0.2 s the first time."""
    return ServiceModel(Loader().load_service_model(service, "service-2"), service)


def operation_model(service: str, operation: str) -> OperationModel:
    """Return the model of an operation. Raises ServiceError (UnknownOperationException)."""
    if operation not in service_model(service).operation_names:
        raise ServiceError("UnknownOperationException", f"{service} has no operation {operation!r}")
    return service_model(service).operation_model(operation)


def check_request(shape: Shape | None, request: Any) -> None:
    """Validate a request: types, required members, lengths, ranges, enumerations, patterns.

    Raises:
        ServiceError: SerializationException for a value of another type or an unknown member, else
            ValidationException with all errors, in the service's words.
    """
    faults = list(_faults(shape, request, "")) if shape else []
    if faults:
        count = f"{len(faults)} validation error{'s' if len(faults) > 1 else ''} detected"
        raise ServiceError("ValidationException", f"{count}: {'; '.join(faults)}")


def without_nulls(value: Any) -> Any:
    """Remove null members, which are equivalent to absent ones."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


def shaped(shape: Shape | None, value: Any) -> Any:
    """Return the parts of a value that the shape has: without our own members, None and empty structures."""
    if isinstance(shape, StructureShape):
        members = {
            name: shaped(member, value[name])
            for name, member in shape.members.items()
            if isinstance(value, dict) and value.get(name) is not None
        }
        return {
            name: member
            for name, member in members.items()
            if not (member == {} and isinstance(shape.members[name], StructureShape))
        }
    if isinstance(shape, ListShape):
        return [shaped(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: shaped(shape.value, item) for key, item in value.items()}
    return value


def _faults(shape: Shape, value: Any, path: str) -> list[str]:
    check = _CHECKS.get(shape.type_name)
    if check is None:
        return []
    python_types, what = _TYPES[shape.type_name]
    if not isinstance(value, python_types) or (isinstance(value, bool) and shape.type_name != "boolean"):
        raise ServiceError("SerializationException", f"{path or 'the request'} must be {what}, not {_short(value)}")
    return check(shape, value, path)


def _structure_faults(shape: StructureShape, value: dict[str, Any], path: str) -> list[str]:
    given = {name: member for name, member in value.items() if member is not None}
    for name in given:
        if name not in shape.members:
            raise ServiceError("SerializationException", f"{path or 'the request'} has no member {_short(name)}")
    faults = [
        f"Value null at '{_member_path(path, name)}' failed to satisfy constraint: Member must not be null"
        for name in shape.required_members
        if name not in given
    ]
    for name, member in given.items():
        faults += _faults(shape.members[name], member, _member_path(path, name))
    if getattr(shape, "is_tagged_union", False) and len(given) != 1:
        faults.append(f"Value at '{path}' failed to satisfy constraint: Exactly one member must be set")
    return faults


def _list_faults(shape: ListShape, value: list[Any], path: str) -> list[str]:
    faults = _length_faults(shape, value, path)
    for place, item in enumerate(value, start=1):
        faults += _faults(shape.member, item, f"{path}.{place}.member")
    return faults


def _map_faults(shape: MapShape, value: dict[str, Any], path: str) -> list[str]:
    faults = _length_faults(shape, value, path)
    for key, item in value.items():
        faults += _faults(shape.key, key, path)
        faults += _faults(shape.value, item, f"{path}.{_short(key)}.member")
    return faults


def _string_faults(shape: Any, value: str, path: str) -> list[str]:
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        raise ServiceError("SerializationException", f"{path} is not valid Unicode: half of a surrogate pair")
    faults = _length_faults(shape, value, path)
    if shape.enum and value not in shape.enum:
        faults.append(_fault(value, path, f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"))
    pattern = shape.metadata.get("pattern")
    # a string that is too long has been refused, and would take long to match
    if pattern and not faults and (expression := _expression(pattern)) and not expression.fullmatch(value):
        faults.append(_fault(value, path, f"Member must satisfy regular expression pattern: {pattern}"))
    return faults


def _number_faults(shape: Shape, value: float, path: str) -> list[str]:
    if isinstance(value, float) and not math.isfinite(value):
        raise ServiceError("SerializationException", f"{path} must be a finite number")
    faults = []
    if "min" in shape.metadata and value < shape.metadata["min"]:
        limit = shape.metadata["min"]
        faults.append(_fault(value, path, f"Member must have value greater than or equal to {limit}"))
    if "max" in shape.metadata and value > shape.metadata["max"]:
        limit = shape.metadata["max"]
        faults.append(_fault(value, path, f"Member must have value less than or equal to {limit}"))
    return faults


def _length_faults(shape: Shape, value: Any, path: str) -> list[str]:
    if "min" in shape.metadata and len(value) < shape.metadata["min"]:
        limit = shape.metadata["min"]
        return [_fault(value, path, f"Member must have length greater than or equal to {limit}")]
    if "max" in shape.metadata and len(value) > shape.metadata["max"]:
        limit = shape.metadata["max"]
        return [_fault(value, path, f"Member must have length less than or equal to {limit}")]
    return []


def _no_faults(shape: Shape, value: Any, path: str) -> list[str]:
    return []


def _fault(value: Any, path: str, constraint: str) -> str:
    return f"Value {_short(value)} at '{path}' failed to satisfy constraint: {constraint}"


def _member_path(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _short(value: Any) -> str:
    text = f"'{value}'" if isinstance(value, str) else repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


# Java's classes of characters, inside brackets. Python's \w has marks and the underscore, too.
_CHARACTERS = {r"\p{L}": r"\w", r"\p{N}": r"\w", r"\p{Z}": r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"}


@functools.cache
def _expression(pattern: str) -> re.Pattern[str] | None:
    r"""Compile a pattern of the model; None if it uses syntax that Python's `re` does not have, such as `\p{P}`."""
    for java, python in _CHARACTERS.items():
        pattern = pattern.replace(java, python)
    # "$" has no repetitions: the model means the length
    pattern = re.sub(r"\$\{\d+,\d+\}$", "$", pattern)
    try:
        return re.compile(pattern)
    except re.error:
        return None


_CHECKS: dict[str, Any] = {
    "structure": _structure_faults,
    "list": _list_faults,
    "map": _map_faults,
    "string": _string_faults,
    "integer": _number_faults,
    "long": _number_faults,
    "float": _number_faults,
    "double": _number_faults,
    "timestamp": _number_faults,
    "boolean": _no_faults,
}
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "structure": (dict, "a structure"),
    "list": (list, "a list"),
    "map": (dict, "a map"),
    "string": (str, "a string"),
    "integer": (int, "an integer"),
    "long": (int, "an integer"),
    "float": ((int, float), "a number"),
    "double": ((int, float), "a number"),
    "timestamp": ((int, float), "a time in epoch seconds"),
    "boolean": (bool, "true or false"),
}
