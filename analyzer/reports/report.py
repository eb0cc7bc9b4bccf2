"""report.html: what one run of the analyzer found, as one page that opens offline.

The answer comes first: violations or none, then each of them by severity, then what drifted and how, for people who
have to decide whether to retrain.
"""

from __future__ import annotations

from pathlib import Path

from analyzer.analysis import Analysis, DataQuality, SkippedRecord, Window
from analyzer.reports.data_quality import data_quality_part
from analyzer.reports.html import NO_SCRIPT, counted, escape, page, section, sheet, time, write_page
from analyzer.reports.model_quality import model_quality_part

KINDS = {"DATA_QUALITY": "Data quality", "MODEL_QUALITY": "Model quality"}


def write_report(analysis: Analysis, path: Path) -> None:
    """Write the page to a file, whose folder is made if need be.

    Raises:
        QualityError: the file cannot be written.
    """
    write_page(report_page(analysis), path)


def report_page(analysis: Analysis) -> str:
    """The page of one run, self-contained; names and values from the data are escaped wherever they appear."""
    result = analysis.result
    if isinstance(result, DataQuality):
        body, data = data_quality_part(result, analysis)
    else:
        body, data = model_quality_part(result, analysis)
    kind = KINDS[analysis.analysis_type]
    heading = f"""<h1>{escape(analysis.name)}</h1>
<p>{kind}{_window(analysis.window)} · analysed {time(analysis.created)} UTC</p>
{NO_SCRIPT}"""
    return page(f"{kind} of {analysis.name}", heading + body + _skipped(analysis), data, "report.js")


def _window(window: Window) -> str:
    if window.start and window.end:
        return f" from {time(window.start)} to {time(window.end)} UTC"
    if window.start:
        return f" since {time(window.start)} UTC"
    return f" until {time(window.end)} UTC" if window.end else ""


def _skipped(analysis: Analysis) -> str:
    skipped = analysis.skipped
    if not skipped.count:
        return ""
    shown = f"; the first {len(skipped.samples)} of them" if len(skipped.samples) < skipped.count else ""
    note = (
        f"{counted(skipped.count, 'record')} could not be read and {'was' if skipped.count == 1 else 'were'} left out"
    )
    table = sheet(["File", "Line", "Reason", "Begins with"], [_sample(each) for each in skipped.samples], (0, 2, 3))
    return section("Skipped records", note + shown, f'<div class="card sheet">{table}</div>' if skipped.samples else "")


def _sample(sample: SkippedRecord) -> list[str]:
    return [escape(sample.file), f"{sample.line:,}", escape(sample.reason), f"<code>{escape(sample.excerpt)}</code>"]
