"""The checks and their findings, which become validation_report.json, and helpers for their messages."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

ERROR, WARNING = "error", "warning"


class DataError(Exception):
    """The data cannot be used; the message names the thing, the value and the next move."""


class Report:
    """The checks so far, in order: the content of validation_report.json."""

    def __init__(self) -> None:
        self.checks: list[dict[str, Any]] = []
        self.problems: list[tuple[str, str]] = []

    def add(
        self,
        name: str,
        severity: str,
        problems: Mapping[str, str] | Sequence[str] = (),
        /,
        columns: Sequence[str] = (),
        **numbers: Any,
    ) -> None:
        """Record a check; it has failed if there are problems.

        Args:
            name: The name of the check.
            severity: ERROR or WARNING.
            problems: A sentence per problem, or by column.
            columns: The columns that sentences without a column of their own are about.
            numbers: What the check has measured.
        """
        sentences: Sequence[str] = [*problems.values()] if isinstance(problems, Mapping) else problems
        self.checks.append(
            {
                "name": name,
                "severity": severity,
                "status": "failed" if problems else "passed",
                "columns": [*problems] if isinstance(problems, Mapping) else [*columns],
                "message": " | ".join(sentences),
                "messages": [*sentences],
                "numbers": numbers,
            }
        )
        self.problems += [(severity, sentence) for sentence in sentences]

    @contextlib.contextmanager
    def recording(self, name: str) -> Iterator[None]:
        """Record a DataError that the block raises as a failed check, and raise it again."""
        try:
            yield
        except DataError as error:
            self.add(name, ERROR, [str(error)])
            raise
        self.add(name, ERROR)

    def messages(self, severity: str) -> list[str]:
        return [sentence for its_severity, sentence in self.problems if its_severity == severity]

    def raise_errors(self) -> None:
        """Raise a DataError with all errors so far, so that a user can fix them in one go."""
        if errors := self.messages(ERROR):
            raise DataError(" | ".join(errors))

    def content(self) -> dict[str, Any]:
        return {"version": 1, "status": "failed" if self.messages(ERROR) else "passed", "checks": self.checks}


def listed(items: Iterable[object], limit: int = 20) -> str:
    texts = [str(item) for item in items]
    return ", ".join(texts[:limit]) + (f" and {len(texts) - limit} more" if len(texts) > limit else "")


def counted(count: int, noun: str, total: int) -> str:
    """Format a count with its verb, such as "3 of 120 values are"."""
    return f"{count} of {plural(noun, total)} {'is' if count == 1 else 'are'}"


def plural(noun: str, count: int) -> str:
    """Format a count and its noun, such as "1 row", "2 rows" or "3 categories"."""
    return f"{count} {noun if count == 1 else re.sub('y$', 'ie', noun) + 's'}"


def shortened(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")
