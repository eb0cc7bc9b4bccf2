"""report.html: the result of one run as a self-contained page.

It is for people who must decide whether to retrain: whether there are violations, then the violations by severity, then
which features drifted and how.
"""

from __future__ import annotations

from pathlib import Path

from analyzer.analysis import Analysis, DataQuality
from analyzer.datasets.malformed_records import SkippedRecord
from analyzer.reports.data_quality import data_quality_part
from analyzer.reports.html import NO_SCRIPT, counted, escape, page, section, sheet, time, write_page
from analyzer.reports.model_quality import model_quality_part
from analyzer.window import Window

ANALYSIS_TITLES = {"DATA_QUALITY": "Data quality", "MODEL_QUALITY": "Model quality"}


def write_report(analysis: Analysis, path: Path) -> None:
    """Write the report to a file. Its folder is created if necessary.

    Raises:
        QualityError: The file cannot be written.
    """
    write_page(report_page(analysis), path)


def report_page(analysis: Analysis) -> str:
    """Render the report of one run."""
    result = analysis.result
    if isinstance(result, DataQuality):
        body, data = data_quality_part(result, analysis)
    else:
        body, data = model_quality_part(result, analysis)
    title = ANALYSIS_TITLES[analysis.analysis_type]
    heading = f"""<h1>{escape(analysis.name)}</h1>
<p>{title}{_window(analysis.window)} · analyzed {time(analysis.created)} UTC\
{_test_requests(analysis.skipped.test_requests)}</p>
{NO_SCRIPT}"""
    return page(f"{title} of {analysis.name}", heading + body + _skipped(analysis), data, "report.js")


def _window(window: Window) -> str:
    if window.start and window.end:
        return f" from {time(window.start)} to {time(window.end)} UTC"
    if window.start:
        return f" since {time(window.start)} UTC"
    return f" until {time(window.end)} UTC" if window.end else ""


def _test_requests(count: int) -> str:
    return f" · {counted(count, 'test request')} left out" if count else ""


def _skipped(analysis: Analysis) -> str:
    skipped = analysis.skipped
    if not skipped.count:
        return ""
    shown = f"; the first {len(skipped.samples)} of them" if len(skipped.samples) < skipped.count else ""
    note = f"{counted(skipped.count, 'malformed record')} {'was' if skipped.count == 1 else 'were'} skipped"
    table = sheet(["File", "Line", "Reason", "Excerpt"], [_sample(sample) for sample in skipped.samples], (0, 2, 3))
    return section("Skipped records", note + shown, f'<div class="card sheet">{table}</div>' if skipped.samples else "")


def _sample(sample: SkippedRecord) -> list[str]:
    return [escape(sample.file), f"{sample.line:,}", escape(sample.reason), f"<code>{escape(sample.excerpt)}</code>"]
