"""Violations by severity. Severities are ours (Model Monitor has none), by the impact on the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from analyzer.reports.html import counted, escape, name_html, section, sheet, tag
from analyzer.violations import ViolationGroup

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
    """A violation in the report; ``anchor`` is the element id of the feature's row, if any."""

    severity: Severity
    name: str
    check: str
    description: str
    anchor: str | None = None


def worst_tone(findings: Sequence[Finding]) -> str:
    """Return the tone of the verdict."""
    severities = {finding.severity for finding in findings}
    return "bad" if "High" in severities else "warn" if severities else "good"


def by_severity(findings: Sequence[Finding]) -> str:
    """Format the counts by severity, such as "2 high, 5 medium"."""
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in TONES}
    return ", ".join(f"{count} {severity.lower()}" for severity, count in counts.items() if count)


def violations_section(
    findings: Sequence[Finding], meanings: Mapping[Severity, str], subject: str, causes: Sequence[ViolationGroup]
) -> str:
    """Render all violations, the most severe first; empty without violations.

    Args:
        findings: Violations in their order within a severity.
        meanings: Short description of each severity.
        subject: Title of the first column.
        causes: The same violations by cause, which are listed first if there are fewer.
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
    listed = "".join(f"<li>{escape(cause.text)}</li>" for cause in causes) if len(causes) < len(findings) else ""
    return section("Violations", "", (f"<ul>{listed}</ul>" if listed else "") + "".join(groups))


def _listing(findings: Sequence[Finding], subject: str) -> str:
    def rows(members: Sequence[Finding]) -> str:
        cells = [[_name(item), tag(item.check, TONES[item.severity]), escape(item.description)] for item in members]
        return sheet([subject, "Check", "Description"], cells, (0, 1, 2), "findings")

    listing, rest = rows(findings[:SHOWN]), findings[SHOWN:]
    if rest:
        listing += f"<details><summary>{len(rest):,} more</summary>{rows(rest)}</details>"
    return listing


def _name(finding: Finding) -> str:
    name = name_html(finding.name)
    return f'<a href="#{finding.anchor}">{name}</a>' if finding.anchor else name
