"""The columns of a dataset and their roles: names for the names, indices and JMESPaths of a configuration."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer import QualityError
from analyzer.clarify.config import AnalysisConfig, Place
from analyzer.datasets.selection import shorten


@dataclass(frozen=True)
class Columns:
    """The columns of a dataset.

    Attributes:
        names: All of them, in order.
        label: The column of the label; None if the dataset has none.
        predicted_label: The column of the predicted label; None if the dataset has none.
        is_open: Whether the configuration may name columns that are not here, as captured requests may lack a facet.
    """

    names: tuple[str, ...]
    label: str | None = None
    predicted_label: str | None = None
    is_open: bool = False

    def find(self, place: Place, member: str) -> str:
        """Return the name of a column.

        Args:
            place: Its name or zero-based index.
            member: The member of the configuration that refers to it, for messages.

        Raises:
            QualityError: There is no such column.
        """
        if isinstance(place, int):
            if place < len(self.names):
                return self.names[place]
            raise QualityError(
                f"{member} is {place}, but the dataset has {len(self.names)} columns; use an index from 0 to "
                f"{len(self.names) - 1}"
            )
        if place in self.names or self.is_open:
            return place
        close = difflib.get_close_matches(place, self.names, 1)
        advice = f"did you mean {close[0]!r}?" if close else f"its columns are {shorten(self.names)}"
        raise QualityError(f"{member} is {place!r}, which is not a column of the dataset; {advice}")

    def features(self, config: AnalysisConfig) -> list[str]:
        """Return the columns that a model gets: all but labels, record ids and excluded columns."""
        left_out = {self.label, self.predicted_label}
        left_out |= {self.find(place, "excluded_columns") for place in config.excluded_columns}
        if config.join_source is not None:
            left_out.add(self.find(config.join_source, "joinsource_name_or_index"))
        return [name for name in self.names if name not in left_out]


def placeholders(count: int) -> tuple[str, ...]:
    """Return Clarify's names for columns without headers."""
    return tuple(f"column_{index}" for index in range(count))


def named(headers: Sequence[str], width: int, what: str) -> tuple[str, ...]:
    """Return the headers, or placeholders if there are none.

    Raises:
        QualityError: Their number differs from that of the columns.
    """
    if not headers:
        return placeholders(width)
    if len(headers) != width:
        raise QualityError(
            f"headers has {len(headers)} names ({shorten(headers)}), but {what} has {width} columns; name each column"
        )
    return tuple(headers)
