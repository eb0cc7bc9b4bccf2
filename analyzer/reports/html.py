"""What the two reports have in common: one self-contained page, its numbers and small pieces of HTML."""

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
    """The whole page, which loads nothing: styles, scripts and data are inside.

    Args:
        title: plain text.
        body: HTML, in which every name is escaped already.
        data: what the script draws, as JSON.
        script: the name of the template that comes after plots.js; None for a page without a script.
    """
    policy, scripts = "default-src 'none'; style-src 'unsafe-inline'", ""
    if script is not None:
        code = _template("plots.js") + _template(script)
        # The browser runs this one script and no other, should a name ever slip through the escaping.
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        policy += f"; script-src 'sha256-{digest}'"
        # A JSON string may hold "</script>" or "<!--", and nothing but a "<" can begin them.
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
    """Write a page aside and rename it into place; QualityError where the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
            aside = Path(folder, path.name)
            # A name may hold half of a surrogate pair, for which UTF-8 has no bytes.
            aside.write_text(text, encoding="utf-8", errors="replace")
            aside.replace(path)
    except OSError as error:
        raise QualityError(f"cannot write {path} ({error}); give a path in a folder that can be written") from error


# --- pieces ---


def verdict(tone: str, sentence: str, detail: str) -> str:
    """The answer that the page begins with; ``tone`` is good, warn, bad or plain. Both texts are plain."""
    icon = f'<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" \
stroke-linejoin="round" aria-hidden="true">{ICONS[tone]}</svg>'
    return f"""<div class="verdict {tone}" role="status">{icon}<div><strong>{escape(sentence)}</strong>
<p>{escape(detail)}</p></div></div>"""


def headline(cards: Iterable[tuple[str, str, str]]) -> str:
    """A row of cards of title, value and note, all plain text."""
    return f'<div class="headline">{"".join(_headline_card(*card) for card in cards)}</div>'


def _headline_card(title: str, value: str, note: str) -> str:
    return (
        f'<div class="card"><h3>{escape(title)}</h3><div class="value">{escape(value)}</div><p>{escape(note)}</p></div>'
    )


def section(title: str, note: str, content: str) -> str:
    """A heading with a plain-text note, and HTML under it."""
    caption = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<section><h2>{escape(title)}</h2>{caption}{content}</section>"


def sheet(
    header: Sequence[str], rows: Sequence[Sequence[str]], text_columns: Sequence[int] = (), style: str = "cards"
) -> str:
    """A table of HTML cells; text columns are set flush left and may wrap."""

    def line(cells: Sequence[str], tag: str, style: str) -> str:
        classes = [f' class="{style}"' if index in text_columns else "" for index in range(len(cells))]
        return "<tr>" + "".join(f"<{tag}{c}>{cell}</{tag}>" for c, cell in zip(classes, cells, strict=True)) + "</tr>"

    body = "\n".join(line(row, "td", "text wrap") for row in rows)
    return f'<table class="{style}"><thead>{line([escape(title) for title in header], "th", "text")}</thead>\
<tbody>\n{body}\n</tbody></table>'


def name_html(name: str) -> str:
    """A feature's name, escaped, that may wrap where its words end."""
    return re.sub(r"([_.:/-])(?=\w)", r"\1<wbr>", escape(name))


def tag(text: str, tone: str = "") -> str:
    """A small coloured label."""
    return f'<span class="tag {tone}">{escape(text)}</span>'


NO_SCRIPT = (
    '<noscript><p class="note">The plots are drawn by a script in this page, which is switched off.</p></noscript>'
)


# --- words and numbers ---


def number(value: float | None) -> str:
    """Four significant digits or so; a dash for None."""
    if value is None:
        return NOTHING
    if value and not 1e-4 <= abs(value) < 1e9:
        return f"{value:.2e}"
    if abs(value) >= 1000:
        return f"{value:,.1f}".removesuffix(".0")
    return f"{value:.4g}"


def metric_number(value: float | None) -> str:
    """A metric of model quality: four decimals, or two of a large one."""
    if value is None or not 1e-4 <= abs(value) < 1e7:
        return number(value)
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def measure(value: float | None) -> str:
    """A distance, mostly between 0 and 1: three decimals, and what is not quite 0 does not look like it."""
    if value is None:
        return NOTHING
    return "< 0.001" if 0 < value < 0.0005 else f"{value:,.3f}"


def percent(share: float | None) -> str:
    """A share of 0 to 1 as a percentage; what is not quite nothing or all does not look like it."""
    if share is None:
        return NOTHING
    if 0 < share < 0.0001:
        return "< 0.01 %"
    if 0.9999 < share < 1:
        return "> 99.99 %"
    return f"{100 * share:.3g} %" if share < 0.9995 else f"{100 * share:.4g} %"


def counted(count: int, thing: str) -> str:
    """ "1 violation", "1,200 violations"."""
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def time(moment: datetime) -> str:
    """To the minute, in UTC."""
    moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%d %H:%M")


def day(moment: datetime) -> str:
    """The date alone at midnight, else with the time to the minute, in UTC."""
    return time(moment).removesuffix(" 00:00")
