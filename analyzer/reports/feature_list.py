"""The list of features in both reports; the page's script adds searching, sorting and details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.reports.html import escape, name_html

NO_MATCH = '<p class="empty" id="none" hidden>No matching features. Clear the search or the filter.</p>'


@dataclass(frozen=True)
class Head:
    """A column header; ``wide`` columns have a line of their own on phones."""

    title: str
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Cell:
    """HTML content, and the value that the column is sorted by; cells without one come last."""

    content: str
    value: float | None = None


@dataclass(frozen=True)
class Row:
    """One feature; the caption is HTML. The filter shows only ``flagged`` rows."""

    name: str
    caption: str
    flagged: bool
    cells: tuple[Cell, ...]


def anchor(index: int) -> str:
    """Return the element id of a feature's row, by its index in the list."""
    return f"feature-{index}"


def feature_list(heads: Sequence[Head], rows: Sequence[Row], plot: str, flagged: str, sorted_by: str | None) -> str:
    """Render a table of features with a search field and a filter.

    Args:
        heads: Headers of the cells of a row.
        rows: Rows in their initial order.
        plot: Title of the small plot in each row.
        flagged: Label of the filter.
        sorted_by: Title of the column that the rows are sorted by (descending), if any.
    """
    header = f'<th><button type="button">Feature</button></th><th class="text">{escape(plot)}</th>'
    header += "".join(_head(head, head.title == sorted_by) for head in heads)
    body = "\n".join(_row(index, row, heads, plot) for index, row in enumerate(rows))
    return f"""<div class="tools">
<input type="search" id="search" placeholder="Search features" aria-label="Search features" autocomplete="off">
<label class="sorting">Sort by <select id="sorting"></select></label>
<label><input type="checkbox" id="only"> {escape(flagged)}</label><output id="shown"></output></div>
<div class="card sheet"><table class="features" id="features"><thead><tr>{header}</tr></thead>
<tbody>
{body}
</tbody></table>{NO_MATCH}</div>"""


def _head(head: Head, is_sorted: bool) -> str:
    order = ' aria-sort="descending"' if is_sorted else ""
    return f'<th{order}><button type="button" title="{escape(head.note)}">{escape(head.title)}</button></th>'


def _row(index: int, row: Row, heads: Sequence[Head], plot: str) -> str:
    name = escape(row.name)
    cells = "".join(_cell(head, cell) for head, cell in zip(heads, row.cells, strict=True))
    flag = ' data-flagged="1"' if row.flagged else ""
    return f"""<tr id="{anchor(index)}" data-index="{index}" data-name="{name}"{flag}>\
<td><button type="button" aria-expanded="false">{name_html(row.name)}</button>\
<span class="caption">{row.caption}</span></td>\
<td class="plot"><div data-title="{escape(plot)} of {name}"></div></td>{cells}</tr>"""


def _cell(head: Head, cell: Cell) -> str:
    style = ' class="full"' if head.wide else ""
    sortable = "" if cell.value is None else f' data-value="{cell.value:.6g}"'
    return f'<td{style} data-label="{escape(head.title)}"{sortable}>{cell.content}</td>'
