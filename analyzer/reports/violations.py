"""Violations by severity. Model Monitor knows no severities; these are ours, by what a violation does to a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analyzer.reports.html import counted, escape, name_html, section, sheet, tag

Severity = Literal["High", "Medium", "Low"]

TONES: Mapping[Severity, str] = {"High": "bad", "Medium": "warn", "Low": "plain"}
CHECKS: Mapping[str, tuple[Severity, str]] = {
    "missing_column_check": ("High", "missing column"),
    "data_type_check": ("High", "data type"),
    "completeness_check": ("Medium", "completeness"),
    "baseline_drift_check": ("Medium", "drift"),
    "categorical_values_check": ("Medium", "unknown values"),
    "extra_column_check": ("Low", "extra column"),
}
SHOWN = 12


@dataclass(frozen=True)
class Finding:
    """A violation as the report lists it; ``anchor`` is the id of the feature's row, if it has one."""

    severity: Severity
    name: str
    check: str
    description: str
    anchor: str | None = None


def worst_tone(findings: Sequence[Finding]) -> str:
    """The tone of the verdict."""
    severities = {finding.severity for finding in findings}
    return "bad" if "High" in severities else "warn" if severities else "good"


def by_severity(findings: Sequence[Finding]) -> str:
    """As in "2 high, 5 medium"."""
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in TONES}
    return ", ".join(f"{count} {severity.lower()}" for severity, count in counts.items() if count)


def violations_section(findings: Sequence[Finding], meanings: Mapping[Severity, str], subject: str) -> str:
    """Every violation, the severest first; empty without any.

    Args:
        findings: in the order of the listing within a severity.
        meanings: what each severity says, in a few words.
        subject: what a violation is of, the first column's title.
    """
    if not findings:
        return ""
    groups = []
    for severity, meaning in meanings.items():
        members = [finding for finding in findings if finding.severity == severity]
        if members:
            groups.append(
                f'<div class="group {TONES[severity]}"><span class="dot"></span>'
                f"<h3>{severity}: {counted(len(members), 'violation')}</h3><p>{escape(meaning)}</p></div>"
                f'<div class="card sheet">{_listing(members, subject)}</div>'
            )
    return section("Violations", "", "".join(groups))


def _listing(findings: Sequence[Finding], subject: str) -> str:
    def rows(members: Sequence[Finding]) -> str:
        cells = [[_name(each), tag(each.check, TONES[each.severity]), escape(each.description)] for each in members]
        return sheet([subject, "Check", "What was found"], cells, (0, 1, 2), "findings")

    listing, rest = rows(findings[:SHOWN]), findings[SHOWN:]
    if rest:
        listing += f"<details><summary>{len(rest):,} more</summary>{rows(rest)}</details>"
    return listing


def _name(finding: Finding) -> str:
    name = name_html(finding.name)
    return f'<a href="#{finding.anchor}">{name}</a>' if finding.anchor else name
