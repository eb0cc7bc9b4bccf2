"""Malformed records: counted, sampled and skipped, up to a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from analyzer import QualityError
from analyzer.analysis import Skipped, SkippedRecord

SAMPLES = 20
EXCERPT_LENGTH = 120


@dataclass
class Skips:
    """What a pass over a dataset has left out so far; a limit of 0 makes the first malformed record an error."""

    limit: int = 0
    count: int = 0
    samples: list[SkippedRecord] = field(default_factory=list)

    def add(self, file: Path, unit: str, number: int, reason: str, text: str) -> None:
        """Count a record; ``unit`` and ``number`` say where in the file it stands ("row", 7), from 1.

        Raises:
            QualityError: there are more than the limit; with the place and the reason, never with the record.
        """
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(SkippedRecord(str(file), number, reason, text[:EXCERPT_LENGTH]))
        if self.count > self.limit:
            raise QualityError(f"{file} {unit} {number} {reason}" + self._advice())

    def merge(self, other: Skipped) -> None:
        """Add what another pass left out, whose limit was its own matter."""
        self.count += other.count
        self.samples = [*self.samples, *other.samples][:SAMPLES]

    def frozen(self) -> Skipped:
        """The count and the samples so far."""
        return Skipped(self.count, self.limit, tuple(self.samples))

    def _advice(self) -> str:
        if self.limit == 0:
            return ""
        return (
            f"; it is malformed record {self.count} where {self.limit} may be skipped: "
            "check what writes them, or raise malformed_records_limit"
        )
