"""What bias is measured of: the label, its favourable values, and the groups that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.values import NUMBER

Value = str | float | bool


@dataclass(frozen=True)
class ValuesOrThreshold:
    """The values of a column that count: those listed, or those greater than a threshold.

    With both, the column decides as in Clarify: a continuous column is compared with the threshold, any other with the
    values. See `analyzer.bias.columns` for what is continuous.
    """

    values: tuple[Value, ...] = ()
    threshold: float | None = None

    @classmethod
    def as_in_clarify(cls, values: Sequence[Value]) -> ValuesOrThreshold:
        """Read ``value_or_threshold`` or ``label_values_or_threshold``, a list that may be either.

        Several values are always categories. One number is a threshold if the column is continuous.
        """
        if len(values) != 1 or isinstance(values[0], bool):
            return cls(tuple(values))
        (value,) = values
        if isinstance(value, str):
            return cls((value,), float(value) if NUMBER.fullmatch(value.strip()) else None)
        return cls((value,), value)


@dataclass(frozen=True)
class Facet:
    """A column whose groups are compared.

    Attributes:
        column: Name of the column.
        sensitive: The values of the group that may be disadvantaged; None to compare each value with all others.
    """

    column: str
    sensitive: ValuesOrThreshold | None = None


@dataclass(frozen=True)
class BiasConfig:
    """The columns of an analysis of bias.

    Attributes:
        label: Column of the observed labels. It may be absent from the data: metrics that need labels are then errors.
        favourable: The positive outcomes.
        facets: The columns whose groups are compared.
        predicted_label: Column of the predicted labels; None if there are none.
        predicted_favourable: The positive predicted outcomes; None for those of the label.
        group_variable: Column of the subgroups of CDDL and CDDPL; None if there is none.
    """

    label: str
    favourable: ValuesOrThreshold
    facets: tuple[Facet, ...]
    predicted_label: str | None = None
    predicted_favourable: ValuesOrThreshold | None = None
    group_variable: str | None = None
