"""The page: what Preprocess says of the data, and the profile of the training split."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.reports.html import counted, escape, headline, name_html, page, percent, section, sheet, tag, verdict
from pipelines.data_check.profile import MIN_ROWS, Bin, Profile
from pipelines.data_check.validation import Validation

MAX_PLOTS = 60
WIDTH, HEIGHT, BOTTOM = 300, 140, 120


def data_page(name: str, validation: Validation, profile: Profile | None) -> str:
    """Write the page; names and messages come from the data, so that all of them are escaped.

    Args:
        name: The name of the data.
        validation: The checks.
        profile: The profile; None if the data cannot be used.
    """
    errors, warnings = validation.messages("error"), validation.messages("warning")
    suspicious = [feature.name for feature in profile.features if feature.is_suspicious] if profile else []
    parts = [f"<h1>Data of {escape(name)}</h1>", _verdict(errors, warnings, suspicious)]
    if profile is not None:
        parts.append(
            headline(
                [
                    ("Training rows", f"{profile.rows:,}", "the rows for validation and test are not looked at"),
                    ("Features", f"{len(profile.features):,}", ""),
                    (f"Target: {profile.target}", profile.text(profile.mean), profile.shown),
                ]
            )
        )
    parts.append(_checks(validation))
    if profile is not None:
        if suspicious:
            parts.append(_suspects(profile))
        parts += [_target(profile), _features(profile), _slices(profile), _plots(profile)]
    return page(f"Data of {name}", "\n".join(filter(None, parts)))


def _verdict(errors: Sequence[str], warnings: Sequence[str], suspicious: Sequence[str]) -> str:
    if errors:
        return verdict("bad", f"Preprocess refuses the data: {counted(len(errors), 'error')}", errors[0])
    if warnings or suspicious:
        found = [counted(len(warnings), "warning")] if warnings else []
        found += [f"{counted(len(suspicious), 'feature')} that may give the target away"] if suspicious else []
        return verdict("warn", "The data can be used, but look at it first", "; ".join(found))
    return verdict("good", "The data can be used", "All checks of Preprocess have passed.")


def _checks(validation: Validation) -> str:
    rows = [
        [tag(check["severity"], "bad" if check["severity"] == "error" else "warn"), escape(message)]
        for check in sorted(validation.checks, key=lambda check: check["severity"])
        for message in check["messages"]
    ]
    if not rows:
        return ""
    return section("Findings", "What Preprocess would say in an execution.", _card(sheet(["", "Finding"], rows, [1])))


def _suspects(profile: Profile) -> str:
    rows = [
        [name_html(feature.name), percent(feature.strength)] for feature in profile.features if feature.is_suspicious
    ]
    note = (
        "Each of these features predicts the target almost by itself. Is it known when a prediction is asked for? If "
        "it is written later, or derived from the target, add it to data.drop_columns."
    )
    return section("Leakage suspects", note, _card(sheet(["Feature", "Explains of the target"], rows)))


def _target(profile: Profile) -> str:
    total = sum(bin_.rows for bin_ in profile.target_bins) or 1
    if all(bin_.target is None for bin_ in profile.target_bins):
        rows = [[escape(bin_.label), f"{bin_.rows:,}", percent(bin_.rows / total)] for bin_ in profile.target_bins]
        return section("Target", "", _card(sheet([profile.target, "Rows", "Share"], rows)))
    return section("Target", "", f'<div class="plots small">{_plot_card(profile.target, profile.target_bins)}</div>')


def _features(profile: Profile) -> str:
    rows = [
        [
            name_html(feature.name),
            feature.kind,
            percent(feature.missing) if feature.missing else "",
            f"{feature.distinct:,}",
            escape(feature.facts),
            percent(feature.strength),
        ]
        for feature in profile.features
    ]
    note = (
        "The strength is the share of the target's variance that a feature explains by itself, measured on rows that "
        "its means were not taken from. What features explain together, only a model tells."
    )
    header = ["Feature", "Type", "Missing", "Distinct", "Minimum … median … maximum", "Strength"]
    return section("Features", note, _card(sheet(header, rows, [4])))


def _slices(profile: Profile) -> str:
    rows = [
        [name_html(name), escape(bin_.label), f"{bin_.rows:,}", profile.text(bin_.target)]
        for name, bin_ in profile.slices()
    ]
    if not rows:
        return ""
    note = f"The categories whose {profile.shown} differs most from that of all rows, {profile.text(profile.mean)}."
    header = ["Feature", "Value", "Rows", profile.shown.capitalize()]
    return section("Slices", note, _card(sheet(header, rows, [1])))


def _plots(profile: Profile) -> str:
    shown = profile.features[:MAX_PLOTS]
    note = f"Bars: rows. Dots: {profile.shown} of {profile.target} among them; the dashed line is that of all rows."
    if len(shown) < len(profile.features):
        note += f" The {len(shown)} strongest of {len(profile.features)} features."
    cards = "".join(_plot_card(feature.name, feature.bins, profile) for feature in shown)
    return section("Distributions", note, f'<div class="plots small">{cards}</div>')


def _plot_card(name: str, bins: Sequence[Bin], profile: Profile | None = None) -> str:
    content = _plot(f"Distribution of {name}", bins, profile) if bins else "<p>No values.</p>"
    return f'<div class="card"><h3>{name_html(name)}</h3>{content}</div>'


def _plot(label: str, bins: Sequence[Bin], profile: Profile | None) -> str:
    """Draw bars of rows and, with a profile, dots of the target; all features have the same scale of it."""
    step = WIDTH / len(bins)
    tallest = max(bin_.rows for bin_ in bins) or 1
    marks = [f'<line class="axis" x1="0" x2="{WIDTH}" y1="{BOTTOM}" y2="{BOTTOM}"/>']
    for place, bin_ in enumerate(bins):
        height = (BOTTOM - 8) * bin_.rows / tallest
        target = f", {profile.text(bin_.target)}" if profile and bin_.target is not None else ""
        marks.append(
            f'<rect class="base-fill" x="{place * step + 1:.1f}" y="{BOTTOM - height:.1f}" width="{step - 2:.1f}" '
            f'height="{height:.1f}"><title>{escape(bin_.label)}: {counted(bin_.rows, "row")}{target}</title></rect>'
        )
    if profile is not None:
        marks += _dots(bins, profile, step)
    ends = [(0, "start", bins[0].label)] + ([(WIDTH, "end", bins[-1].label)] if len(bins) > 1 else [])
    marks += [
        f'<text x="{x}" y="{BOTTOM + 16}" text-anchor="{anchor}">{escape(_short(text))}</text>'
        for x, anchor, text in ends
    ]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{"".join(marks)}</svg>'


def _dots(bins: Sequence[Bin], profile: Profile, step: float) -> list[str]:
    low, high = profile.target_range

    def y(value: float) -> float:
        return BOTTOM - 10 - (BOTTOM - 24) * ((value - low) / (high - low) if high > low else 0.5)

    mean = y(profile.mean)
    return [
        f'<line class="base-line" stroke-dasharray="4 3" x1="0" x2="{WIDTH}" y1="{mean:.1f}" y2="{mean:.1f}"/>',
        *(
            f'<circle cx="{(place + 0.5) * step:.1f}" cy="{y(bin_.target):.1f}" r="3.2" class="now-bar"/>'
            for place, bin_ in enumerate(bins)
            if bin_.target is not None and bin_.rows >= MIN_ROWS
        ),
        f'<text x="{WIDTH}" y="{mean - 4:.1f}" text-anchor="end">{profile.text(profile.mean)}</text>',
    ]


def _short(label: str) -> str:
    return label if len(label) <= 18 else label[:17] + "…"


def _card(content: str) -> str:
    return f'<div class="card sheet">{content}</div>'
