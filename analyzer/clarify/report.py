"""report.html: the results of a Clarify job as one page, which needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analyzer.clarify import report_bias, report_explanations
from analyzer.clarify.analysis import bias_values, global_shap_values
from analyzer.clarify.bias import BiasResult
from analyzer.clarify.drift import ATTRIBUTION_CHECK, BIAS_CHECK, Violation, compared, violation_groups
from analyzer.datasets.malformed_records import MalformedRecords
from analyzer.reports import html

REPORT = "report.html"


def write_report(
    path: Path,
    title: str,
    analysis: Mapping[str, Any],
    bias: BiasResult | None,
    violations: Sequence[Violation],
    baseline: Mapping[str, Any] | None,
    malformed: MalformedRecords,
    records: int,
) -> None:
    """Write the page.

    Args:
        path: Where to write it.
        title: Its title.
        analysis: Content of analysis.json.
        bias: The bias metrics with what analysis.json does not have of them; None to take them from analysis.json.
        violations: Those of constraint_violations.json.
        baseline: Content of the baseline's analysis.json, if any.
        malformed: The records that were skipped.
        records: The number of records that were analyzed.
    """
    body = [f"<h1>{html.escape(title)}</h1>", _verdict(analysis, violations, baseline, records)]
    sections = [
        report_bias.sections(analysis, bias, violations, baseline),
        report_explanations.sections(analysis, baseline),
        _skipped(malformed),
    ]
    content = "\n".join(part for part in sections if part)
    html.write_page(html.page(title, "\n".join([*body, html.contents(content), content])), path)


def _verdict(
    analysis: Mapping[str, Any], violations: Sequence[Violation], baseline: Mapping[str, Any] | None, records: int
) -> str:
    what = []
    if groups := len({(value.facet, value.group) for value in bias_values(analysis)}):
        what.append(f"bias of {html.counted(groups, 'group')}")
    if features := {name for values in global_shap_values(analysis).values() for name in values}:
        what.append(f"attribution of {html.counted(len(features), 'feature')}")
    done = f"{html.counted(records, 'record')} analyzed: {' and '.join(what) or 'partial dependence'}."
    if baseline is None:
        return html.verdict("plain", done.removesuffix("."), "There is no baseline to compare with.")
    if not compared(analysis, baseline):
        note = "The baseline has no metric of these groups and no attribution of these labels."
        return html.verdict("warn", "Nothing to compare with the baseline", f"{note} {done}")
    if not violations:
        return html.verdict("good", "No drift from the baseline", done)
    kinds = {BIAS_CHECK: "bias metric", ATTRIBUTION_CHECK: "ranking of features"}
    counts = {
        kind: sum(violation["constraint_check_type"] == kind for violation in violations)
        for kind in (BIAS_CHECK, ATTRIBUTION_CHECK)
    }
    sentence = " and ".join(
        html.counted(count, kinds[kind]) if kind == BIAS_CHECK else "the ranking of features"
        for kind, count in counts.items()
        if count
    )
    texts = [group.text for group in violation_groups(violations, analysis, baseline)]
    return html.verdict("bad", f"Drift from the baseline: {sentence}", f"{'. '.join(texts)}. {done}")


def _skipped(malformed: MalformedRecords) -> str:
    if not malformed.count and not malformed.test_requests:
        return ""
    rows = [
        [html.escape(f"{sample.file}:{sample.line}"), html.escape(sample.reason), html.escape(sample.excerpt)]
        for sample in malformed.samples
    ]
    counts = {"malformed record": malformed.count, "test request": malformed.test_requests}
    note = ", ".join(html.counted(count, thing) for thing, count in counts.items() if count)
    table = html.sheet(["place", "reason", "record"], rows, (1, 2)) if rows else ""
    return html.section("Skipped records", note, f'<div class="card sheet">{table}</div>' if table else "")
