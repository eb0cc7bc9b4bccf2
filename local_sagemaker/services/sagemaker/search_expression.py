"""Search expressions: which resources Search finds, and the properties that it sorts them by.

A property is a path into a resource, such as `ModelArtifacts.S3ModelArtifacts`; of a list, it has the values of all
items. `Tags.<key>`, `Parameters.<key>` of features, `Metrics.<name>` and the keys of maps, such as
`HyperParameters.<name>`, may contain dots.

AWS does not document what holds of a resource without the property. Here only NotEquals and NotExists do.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.storage.records import Record

MAX_CONDITIONS = 50

_NUMBERS = ("integer", "long", "float", "double")
_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}

# whether a resource satisfies an expression
Condition = Callable[[Record], bool]


@dataclass(frozen=True)
class Property:
    """A property of resources of one type.

    Attributes:
        name: As requests name it.
        type: `text`, `number`, `time`, `boolean`, `hyperparameter`, or `structure`, which has no value to compare.
        read: Returns the values that a resource has.
    """

    name: str
    type: str
    read: Callable[[Any], list[Any]]

    def first(self, resource: Record) -> Any:
        """Return the value to sort a resource by. Those without one come before all others."""
        value = next(iter(self.read(resource)), None)
        if self.type in ("number", "time", "boolean"):
            return float("-inf") if value is None else float(value)
        return "" if value is None else str(value)


def find_property(shape: StructureShape, name: str) -> Property:
    """Return a property of the resources of a shape. Raises ServiceError if there is none of that name.

    A model is in a member of its own, whose name may be left out.
    """
    if "Model" in shape.members and name.partition(".")[0] not in shape.members:
        inner: Any = shape.members["Model"]
        found = find_property(inner, name)
        return replace(found, read=lambda resource: found.read(resource["Model"]))
    head, _, rest = name.partition(".")
    if head == "Metrics" and rest and "FinalMetricDataList" in shape.members:
        return Property(name, "number", lambda resource: _named(resource, "FinalMetricDataList", "MetricName", rest))
    if rest and _is_key_value_list(shape.members.get(head)):
        return Property(name, "text", lambda resource: _named(resource, head, "Key", rest))
    return _member(shape, name, name)


def condition(shape: StructureShape, expression: Record) -> Condition:
    """Return the condition that a SearchExpression states of resources of a shape.

    Raises:
        ServiceError: The expression is empty or too large, or a filter does not fit its property.
    """
    filters = list(all_filters(expression))
    if sum(1 for item in filters if item.get("Operator") == "Contains") > 1:
        raise _invalid("'CONTAINS' operator usage limit of 1 exceeded.")
    if _size(expression) > MAX_CONDITIONS:
        raise _invalid(f"A SearchExpression can have {MAX_CONDITIONS} filters, nested filters and subexpressions.")
    return _condition(shape, expression)


def _condition(shape: StructureShape, expression: Record) -> Condition:
    conditions = [
        *(_filter(find_property(shape, item["Name"]), item) for item in expression.get("Filters", [])),
        *(_nested(shape, item) for item in expression.get("NestedFilters", [])),
        *(_condition(shape, item) for item in expression.get("SubExpressions", [])),
    ]
    if not conditions:
        raise _invalid("A SearchExpression needs at least one subexpression, filter, or nested filter.")
    combine = any if expression.get("Operator") == "Or" else all
    return lambda resource: combine(holds(resource) for holds in conditions)


def _nested(shape: StructureShape, nested: Record) -> Condition:
    """Return the condition that a single item of a list satisfies all filters."""
    name = nested["NestedPropertyName"]
    items = _member(shape, name, name)
    inner = _shape_at(shape, name)
    if not isinstance(inner, StructureShape):
        raise _invalid(f"{name!r} is not a property with nested properties.")
    conditions = []
    for item in nested["Filters"]:
        if not item["Name"].startswith(f"{name}."):
            raise _invalid(f"The nested filter {item['Name']!r} must begin with '{name}.'.")
        conditions.append(_filter(_member(inner, item["Name"].removeprefix(f"{name}."), item["Name"]), item))
    return lambda resource: any(all(holds(part) for holds in conditions) for part in items.read(resource))


def _filter(prop: Property, item: Record) -> Condition:
    """Return the condition of one filter."""
    name, text = item.get("Operator", "Equals"), item.get("Value")
    if name in ("Exists", "NotExists"):
        return lambda resource: bool(prop.read(resource)) == (name == "Exists")
    if text is None:
        raise _invalid(f"The filter of {prop.name!r} needs a Value.")
    test = _test(prop, name.removeprefix("Not"), text)
    if name == "NotEquals":
        return lambda resource: not any(map(test, prop.read(resource)))
    return lambda resource: any(map(test, prop.read(resource)))


def _test(prop: Property, name: str, text: str) -> Callable[[Any], bool]:
    """Return what the operator of a filter, other than a negation, says of one value."""
    unsupported = _invalid(f"The operator {name} is not supported for {prop.name!r}, a {prop.type} property.")
    if prop.type == "structure":
        raise unsupported
    if name in ("In", "Contains"):
        if prop.type not in ("text", "hyperparameter"):
            raise unsupported
        return (lambda value: text in value) if name == "Contains" else (lambda value: value in text.split(","))
    if name in _ORDERINGS and prop.type in ("text", "boolean"):
        raise unsupported
    compare = _ORDERINGS.get(name, operator.eq)
    if prop.type == "hyperparameter":
        return lambda value: compare(*pair) if (pair := _comparable(value, text, compare)) else False
    given = _parsed(prop, text)
    return lambda value: compare(value, given)


def _parsed(prop: Property, text: str) -> Any:
    """Return a filter's value in the type of its property. Raises ServiceError."""
    try:
        match prop.type:
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}[text.lower()]
            case "time":
                moment = datetime.fromisoformat(text)
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, KeyError, OverflowError) as error:
        raise _invalid(f"The value {text!r} of the filter of {prop.name!r} is not a {prop.type}.") from error
    return text


def _comparable(value: str, text: str, compare: Callable[[Any, Any], bool]) -> tuple[Any, Any] | None:
    """Return a hyperparameter and a filter's value as integers, decimals or, for equality, texts.

    As documented, a filter with an integer compares integers, and one with a decimal compares decimals.
    """
    kind: Any = int if re.fullmatch(r"[+-]?\d+", text) else float
    try:
        return kind(float(value)), kind(text)
    except (ValueError, OverflowError):
        return (value, text) if compare is operator.eq else None


def _member(shape: Shape, path: str, name: str) -> Property:
    """Return the property at a path into a shape; name is what requests call it."""
    leaf = _shape_at(shape, path)
    if leaf is None:
        raise _invalid(f"Unknown property {name!r}; see SearchRecord in the API reference.")
    in_map = path.startswith("HyperParameters.") and isinstance(shape, StructureShape)
    kinds = {"string": "hyperparameter" if in_map else "text", "timestamp": "time", "boolean": "boolean"}
    kind = "number" if leaf.type_name in _NUMBERS else kinds.get(leaf.type_name, "structure")
    return Property(name, kind, lambda resource: list(_values(shape, path, resource)))


def _shape_at(shape: Shape, path: str) -> Shape | None:
    """Return the shape of what a path leads to, that of the items for a list; None if it leads nowhere."""
    while isinstance(shape, ListShape):
        shape = shape.member
    if not path:
        return shape
    if isinstance(shape, MapShape):
        return shape.value
    head, _, rest = path.partition(".")
    if not isinstance(shape, StructureShape) or head not in shape.members:
        return None
    return _shape_at(shape.members[head], rest)


def _values(shape: Shape, path: str, value: Any) -> Iterator[Any]:
    """Yield the values at a path: one, none, or those of all items of lists on the way."""
    if value is None:
        return
    if isinstance(shape, ListShape):
        for item in value:
            yield from _values(shape.member, path, item)
    elif not path:
        yield value
    elif isinstance(shape, MapShape):
        yield from _values(shape.value, "", value.get(path))
    elif isinstance(shape, StructureShape):
        head, _, rest = path.partition(".")
        yield from _values(shape.members[head], rest, value.get(head))


def _is_key_value_list(shape: Shape | None) -> bool:
    """Return whether a shape is a list of keys and their values, as tags and the parameters of a feature are."""
    return isinstance(shape, ListShape) and set(getattr(shape.member, "members", ())) == {"Key", "Value"}


def _named(resource: Record, member: str, key: str, name: str) -> list[Any]:
    """Return the Value of each structure in a list whose key is the name."""
    return [item["Value"] for item in resource.get(member) or [] if item[key] == name]


def all_filters(expression: Record) -> Iterator[Record]:
    """Yield all filters of an expression, those in nested filters and subexpressions included."""
    yield from expression.get("Filters", [])
    for nested in expression.get("NestedFilters", []):
        yield from nested["Filters"]
    for part in expression.get("SubExpressions", []):
        yield from all_filters(part)


def _size(expression: Record) -> int:
    """Return how many filters, nested filters and subexpressions an expression has."""
    nested: Iterable[Record] = expression.get("NestedFilters", [])
    parts: list[Record] = expression.get("SubExpressions", [])
    return (
        len(expression.get("Filters", []))
        + sum(1 + len(item["Filters"]) for item in nested)
        + sum(1 + _size(part) for part in parts)
    )


def _invalid(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
