"""Building blocks of all reports: the self-contained page, pieces of HTML, and the format of numbers.

This module ships with evaluate.py into a processing container, so it needs the standard library alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from analyzer import QualityError

escape = html.escape

NOTHING = "\N{EN DASH}"

ICONS = {
    "good": '<circle cx="12" cy="12" r="9"/><path d="m8 12.5 2.8 2.8L16 9.6"/>',
    "warn": '<path d="M12 3.8 21.2 20H2.8Z"/><path d="M12 10v4.4m0 2.4v.2"/>',
    "bad": '<circle cx="12" cy="12" r="9"/><path d="M12 7.4v5.4m0 3.2v.2"/>',
    "plain": '<circle cx="12" cy="12" r="9"/><path d="M12 11v5.4m0-8.8v.2"/>',
}


def page(title: str, body: str, data: Any = None, script: str | None = None) -> str:
    """Render a whole page with embedded styles, script and data, which loads nothing.

    Args:
        title: Title of the page, plain text.
        body: HTML, with all names escaped.
        data: What the script draws, as JSON values.
        script: Name of the template that follows plots.js; None for a page without a script.
    """
    policy, scripts = "default-src 'none'; style-src 'unsafe-inline'", ""
    if script is not None:
        code = _template("plots.js") + _template(script)
        # The browser runs only this script, even if a name with markup were not escaped.
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
        # JSON strings may contain "</script>" or "<!--".
        embedded = json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
        scripts = f'<script type="application/json" id="data">{embedded}</script>\n<script>{code}</script>\n'
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{escape(title)}</title>
<style>
{_template("page.css")}</style>
</head>
<body>
<main>
{body}
</main>
{scripts}</body>
</html>
"""


def _template(name: str) -> str:
    return (resources.files("analyzer.reports") / "templates" / name).read_text(encoding="utf-8")


def write_page(text: str, path: Path) -> None:
    """Write a page atomically. Raises QualityError if the folder is not writable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            temporary = Path(folder, path.name)
            # Names may contain unpaired surrogates, which UTF-8 cannot encode.
            temporary.write_text(text, encoding="utf-8", errors="replace")
            temporary.replace(path)
    except OSError as error:
        raise QualityError(f"cannot write {path} ({error}); use a path in a writable folder") from error


# --- pieces ---


def verdict(tone: str, sentence: str, detail: str) -> str:
    """Render the summary at the top of a page.

    Args:
        tone: good, warn, bad or plain.
        sentence: The result, plain text.
        detail: One or two more sentences, plain text.
    """
    icon = f'<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" \
stroke-linejoin="round" aria-hidden="true">{ICONS[tone]}</svg>'
    return f"""<div class="verdict {tone}" role="status">{icon}<div><strong>{escape(sentence)}</strong>
<p>{escape(detail)}</p></div></div>"""


def headline(cards: Iterable[tuple[str, str, str]]) -> str:
    """Render a row of cards, each with a title, a value and a note in plain text."""
    return f'<div class="headline">{"".join(_headline_card(*card) for card in cards)}</div>'


def _headline_card(title: str, value: str, note: str) -> str:
    return (
        f'<div class="card"><h3>{escape(title)}</h3><div class="value">{escape(value)}</div><p>{escape(note)}</p></div>'
    )


def section(title: str, note: str, content: str) -> str:
    """Render a heading with a plain-text note, followed by HTML content; the title, in lower case, is its anchor."""
    caption = f'<p class="note">{escape(note)}</p>' if note else ""
    anchor = re.sub(r"[^a-z0-9]+", "-", title.lower())
    return f'<section id="{anchor}"><h2>{escape(title)}</h2>{caption}{content}</section>'


def contents(body: str) -> str:
    """Render links to the sections of a page, which are in its HTML."""
    links = re.findall(r'<section id="([^"]*)"><h2>([^<]*)</h2>', body)
    return f'<nav class="contents">{"".join(f"""<a href="#{anchor}">{title}</a>""" for anchor, title in links)}</nav>'


def sheet(
    header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = (), style: str = "cards"
) -> str:
    """Render a table of HTML cells.

    Args:
        header: Column titles, plain text.
        rows: Cells of each row, HTML.
        text_columns: Indices of the columns that are left-aligned and may wrap.
        style: CSS class of the table.
    """

    def line(cells: Sequence[str], tag: str, style: str) -> str:
        classes = [f' class="{style}"' if index in text_columns else "" for index in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{c}>{cell}</{tag}>" for c, cell in zip(classes, cells, strict=True)) + "</tr>"

    body = "\n".join(line(row, "td", "text wrap") for row in rows)
    return f'<table class="{style}"><thead>{line([escape(title) for title in header], "th", "text")}</thead>\
<tbody>\n{body}\n</tbody></table>'


def name_html(name: str) -> str:
    """Escape a feature's name, with line break opportunities between its words."""
    return re.sub(r"([_.:/-])(?=\w)", r"\1<wbr>", escape(name))


def tag(text: str, tone: str = "") -> str:
    """Render a small colored label; ``tone`` as in `verdict`."""
    return f'<span class="tag {tone}">{escape(text)}</span>'


NO_SCRIPT = '<noscript><p class="note">Plots require JavaScript, which is disabled.</p></noscript>'


# --- words and numbers ---


def number(value: float | None) -> str:
    """Format a number with about four significant digits; a dash for None."""
    if value is None:
        return NOTHING
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.4g}"


def metric_number(value: float | None) -> str:
    """Format a model quality metric with four decimals, or two if it is large."""
    if value is None or not 1e-4 <= abs(value) < 1e7:
        return number(value)
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def measure(value: float | None) -> str:
    """Format a distance, mostly between 0 and 1, with three decimals; only an exact 0 is shown as 0."""
    if value is None:
        return NOTHING
    return "< 0.001" if 0 < value < 0.0005 else f"{value:,.3f}"


def percent(share: float | None) -> str:
    """Format a share of 0 to 1 as a percentage; only exact values are shown as 0 % and 100 %."""
    if share is None:
        return NOTHING
    if 0 < share < 0.0001:
        return "< 0.01 %"
    if 0.9999 < share < 1:
        return "> 99.99 %"
    return f"{100 * share:.3g} %" if share < 0.9995 else f"{100 * share:.4g} %"


def counted(count: int, thing: str) -> str:
    """Format a count with its noun: "1 violation", "1,200 violations"."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def time(moment: datetime) -> str:
    """Format a time to the minute, in UTC."""
    moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M")


def day(moment: datetime) -> str:
    """Format a time to the minute in UTC, or only its date if it is midnight."""
    return time(moment).removesuffix(" 00:00")
