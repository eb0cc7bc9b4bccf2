"""The look of the report, and what text becomes in it."""

from __future__ import annotations

import html
from collections.abc import Sequence

STYLE = """
:root { color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --line: #e3e6eb; --ink: #1b2430; --muted: #5d6878;
  --accent: #2563eb; --second: #c2410c; --c1: #2563eb; --c2: #c2410c; --c3: #0f766e; --c4: #9333ea; --c5: #a16207;
  --c6: #be185d; }
@media (prefers-color-scheme: dark) { :root {
  --page: #0f141b; --card: #171e27; --line: #2a3441; --ink: #e6eaf0; --muted: #9aa7b7;
  --accent: #6ea8fe; --second: #fb923c; --c1: #6ea8fe; --c2: #fb923c; --c3: #2dd4bf; --c4: #c084fc; --c5: #facc15;
  --c6: #f472b6; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 1160px; margin: 0 auto; padding: 32px 20px 48px }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere }
h2 { font-size: 15px; font-weight: 600; margin: 0 }
p { margin: 0; color: var(--muted) }
.headline { display: grid; gap: 12px; margin: 24px 0 16px; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)) }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; min-width: 0 }
.value { font-size: 28px; font-weight: 650; line-height: 1.2; font-variant-numeric: tabular-nums }
.card p { font-size: 13px }
.plots { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)) }
.tall { grid-row: span 2 }
main > .card { margin-top: 16px }
.plots svg { display: block; width: 100%; height: auto; margin-top: 10px }
.plots svg text { font-family: inherit !important }
.scroll { overflow-x: auto; margin-top: 10px }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { padding: 7px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th { color: var(--muted); font-weight: 500; font-size: 13px }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
tr:last-child td { border-bottom: 0 }
"""


def card(title: str, content: str, note: str = "", style: str = "card") -> str:
    caption = f"<p>{html.escape(note)}</p>" if note else ""
    return f'<section class="{style}"><h2>{html.escape(title)}</h2>{caption}{content}</section>\n'


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>{line(header, "th")}\n{body}</table></div>'


def number(value: float | str) -> str:
    if isinstance(value, str):
        return ""
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3e}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def shortened(value: object, limit: int = 28) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(values: Sequence[object], limit: int = 8) -> str:
    texts = [shortened(value) for value in values[:limit]]
    return ", ".join(texts) + (f" and {len(values) - limit} more" if len(values) > limit else "")
