"""Malformed records: counted, sampled and skipped, up to a limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from analyzer import QualityError

SAMPLES = 20
EXCERPT_LENGTH = 120


@dataclass(frozen=True)
class SkippedRecord:
    """A record that could not be read. ``excerpt`` is its beginning, which may go into reports but not into logs."""

    file: str
    line: int
    reason: str
    excerpt: str


@dataclass(frozen=True)
class Skipped:
    """The records that were skipped.

    Attributes:
        count: The number of malformed records.
        limit: The number of malformed records that may be skipped.
        samples: The first few malformed records.
        test_requests: The number of captured requests that are marked as tests.
    """

    count: int = 0
    limit: int = 0
    samples: tuple[SkippedRecord, ...] = ()
    test_requests: int = 0


@dataclass
class MalformedRecords:
    """The records skipped so far in a pass over a dataset; with a limit of 0 the first malformed one is an error."""

    limit: int = 0
    count: int = 0
    samples: list[SkippedRecord] = field(default_factory=list)
    test_requests: int = 0

    def add(self, file: Path, unit: str, number: int, reason: str, text: str) -> None:
        """Count a malformed record.

        Args:
            file: The file of the record.
            unit: What ``number`` counts: "line" or "row".
            number: Position in the file, starting at 1.
            reason: Why the record is malformed, as a clause that follows its position in the message.
            text: The record.

        Raises:
            QualityError: The limit is exceeded. The message has the position and the reason, but not the record.
        """
        self.count += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(SkippedRecord(str(file), number, reason, text[:EXCERPT_LENGTH]))
        if self.count > self.limit:
            raise QualityError(f"{file} {unit} {number} {reason}" + self._advice())

    def merge(self, other: Skipped) -> None:
        """Add the malformed records of another pass, which applied its own limit."""
        self.count += other.count
        self.test_requests += other.test_requests
        self.samples = [*self.samples, *other.samples][:SAMPLES]

    def summary(self) -> Skipped:
        """Return the count and the first records."""
        return Skipped(self.count, self.limit, tuple(self.samples), self.test_requests)

    def _advice(self) -> str:
        if self.limit == 0:
            return ""
        return (
            f"; this is malformed record {self.count}, and malformed_records_limit is {self.limit}: fix the records, "
            "or raise the limit"
        )
