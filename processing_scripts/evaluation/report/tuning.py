"""How the hyperparameters were found: the trials of the tuning job, beside each other and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analyzer.reports.html import counted, escape, metric_number, number, section
from evaluation.report.charts import ACCENT, BASE, INK, Axis, Chart, chart_card, charts, shortened
from evaluation.report.pieces import metric_title, table_card
from evaluation.trials import position

MAX_ROWS = 20
LONGEST_TICK, LONGEST_NAME = 12, 18


def tuning_section(tuning: Mapping[str, Any] | None) -> str:
    """Return the section; empty for a model that was not tuned."""
    if not tuning:
        return ""
    if "unavailable" in tuning:
        note = f"The trials of tuning job {tuning['job']} could not be read: {tuning['unavailable']}"
        return section("Tuning", note, "")
    measured = [trial for trial in tuning["trials"] if trial["value"] is not None]
    advice = "".join(f"<li>{escape(sentence)}</li>" for sentence in tuning["advice"])
    parts = [
        f"<ul>{advice}</ul>" if advice else "",
        charts([parallel_coordinates(tuning, measured)]) if len(measured) > 1 else "",
        trial_table(tuning, measured),
    ]
    return section("Tuning", facts(tuning), "\n".join(filter(None, parts)))


def facts(tuning: Mapping[str, Any]) -> str:
    title = objective_title(tuning)
    name = title if title.isupper() else title[0].lower() + title[1:]
    better = "highest" if tuning["objective"]["type"] == "Maximize" else "lowest"
    parts = [f"{counted(tuning['count'], 'trial')} of tuning job {tuning['job']} ({tuning['strategy']})"]
    parts += [f"{tuning[key]:,} {key}" for key in ("failed", "stopped") if tuning[key]]
    where = "over the folds" if tuning["objective"]["name"].startswith("folds:") else "on the validation split"
    return f"{', '.join(parts)}; the model is the one with the {better} {name} {where}."


def objective_title(tuning: Mapping[str, Any]) -> str:
    return metric_title(tuning["objective"]["name"].rpartition(":")[2])


def parallel_coordinates(tuning: Mapping[str, Any], measured: Sequence[Mapping[str, Any]]) -> str:
    """Draw each trial as a line through its hyperparameters to its objective, the best one on top."""
    ranges: Mapping[str, Any] = tuning["ranges"]
    names = [*ranges, objective_title(tuning)]
    # room at the left for the tilted name of the first axis
    x = Axis(-0.9, len(names) - 0.5, [(at, shortened(name, LONGEST_NAME)) for at, name in enumerate(names)])
    chart = Chart(x, Axis(-0.08, 1.08, []), grid="x", tilted=True)
    values = [trial["value"] for trial in measured]
    low, high = min(values), max(values)
    # the best on top
    for rank, trial in reversed(list(enumerate(measured))):
        places = [position(range_, trial["hyperparameters"].get(name, "")) for name, range_ in ranges.items()]
        places.append((trial["value"] - low) / (high - low) if high > low else 0.5)
        known = [(at, place) for at, place in enumerate(places) if place is not None]
        color, width = (INK, 2.6) if rank == 0 else (ACCENT if rank < len(measured) / 2 else BASE, 1.1)
        chart.line([at for at, _ in known], [place for _, place in known], color, width)
    for at, range_ in enumerate([*ranges.values(), {"min": low, "max": high}]):
        for place, text in end_texts(range_):
            chart.text(at, place, text, "middle")
    return chart_card(
        "Trials",
        chart,
        "Each line is a trial: its hyperparameters, in the scale of the search, and its objective",
        [(INK, "best"), (ACCENT, "better half"), (BASE, "worse half")],
    )


def end_texts(range_: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Return what stands below and above a vertical axis."""
    if values := range_.get("values"):
        texts = [values[0], values[-1]]
    else:
        texts = [number(range_["min"]), number(range_["max"])]
    return [(-0.06, shortened(texts[0], LONGEST_TICK)), (1.06, shortened(texts[1], LONGEST_TICK))]


def trial_table(tuning: Mapping[str, Any], measured: Sequence[Mapping[str, Any]]) -> str:
    names = list(tuning["ranges"])
    rows = []
    for rank, trial in enumerate(measured[:MAX_ROWS], start=1):
        value = metric_number(trial["value"])
        cells = [str(rank), f"<b>{value}</b>" if rank == 1 else value]
        cells += [escape(shown(trial["hyperparameters"].get(name, ""))) for name in names]
        status = "" if trial["status"] == "Completed" else escape(trial["status"].lower())
        rows.append([*cells, status])
    table = table_card(["", objective_title(tuning), *names, ""], rows)
    if tuning["count"] > len(rows):
        table += f'<p class="note">The best {len(rows)} of {counted(tuning["count"], "trial")}.</p>'
    return table


def shown(text: str) -> str:
    """Return a hyperparameter with about four digits."""
    try:
        return number(float(text))
    except ValueError:
        return text
