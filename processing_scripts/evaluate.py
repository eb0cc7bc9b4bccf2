"""Evaluate: measure the model on the test split.

Reads model.tar.gz (of it model.txt and schema.json) and the encoded test.csv. Written under the output folder:
    evaluation/evaluation.json     metrics by Model Monitor's names, in its model-quality layout
    predictions/predictions.csv    prediction, probability, label; one line for each test row. Of two classes prediction
                                   and label are 0 or 1 (the positive class) and the probability is that of 1; of more
                                   they are class names and the probability is that of the prediction; a regression has
                                   no probability
    report/report.html             the metrics and plots as one page that needs nothing else

Exit status 0, or 1 with the reason as the last line on stderr.
"""

from __future__ import annotations

import argparse
import csv
import html
import io
import json
import posixpath
import re
import sys
import tarfile
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import lightgbm as lgb
import matplotlib as mpl
import numpy as np
import pyarrow as pa
import pyarrow.csv
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from monitoring.quality import QualityError
from monitoring.quality.model_quality import METRICS_KEY, model_quality

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"

# SageMaker returns the first kilobyte of this file as the job's ExitMessage
EXIT_MESSAGE = Path("/opt/ml/output/message")


class EvaluationError(Exception):
    """The model cannot be measured; the message names the thing and the next move."""


def main(arguments: Sequence[str] | None = None) -> None:
    try:
        evaluate(parse_arguments(arguments))
    except (EvaluationError, QualityError) as error:
        fail(str(error))


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    add = parser.add_argument
    add("--model-dir", type=Path, default=Path("/opt/ml/processing/input/model"), help="holds model.tar.gz")
    add("--test-dir", type=Path, default=Path("/opt/ml/processing/input/test"), help="holds test.csv")
    add("--output-dir", type=Path, default=Path("/opt/ml/processing/output"))
    return parser.parse_args(arguments)


def evaluate(options: argparse.Namespace) -> None:
    """Measure the model and write the three outputs.

    Raises:
        EvaluationError: the model archive or the test split cannot be read, or they do not belong together.
        QualityError: what the model predicts cannot be measured.
    """
    booster, schema = load_model(options.model_dir / "model.tar.gz")
    features, target = read_test(options.test_dir / "test.csv", schema)
    outcome = Outcome.of(schema, np.asarray(booster.predict(features)), target)
    quality = model_quality(schema["problem_type"], outcome.labels, outcome.predictions, outcome.probabilities)
    metrics = quality[METRICS_KEY[schema["problem_type"]]]
    gains = dict(zip([f["name"] for f in schema["features"]], booster.feature_importance("gain"), strict=True))

    write(json.dumps(quality, indent=2) + "\n", options.output_dir / "evaluation" / "evaluation.json")
    write(outcome.as_csv(), options.output_dir / "predictions" / "predictions.csv")
    write(report_page(schema, outcome, metrics, gains), options.output_dir / "report" / "report.html")
    for name in HEADLINES[schema["problem_type"]]:
        print(f"test_{name}={metrics[name]['value']}")


def fail(message: str) -> NoReturn:
    if EXIT_MESSAGE.parent.is_dir():
        EXIT_MESSAGE.write_text(message.encode()[:1024].decode(errors="ignore"), encoding="utf-8")
    sys.exit(message)


def write(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


# --- reading ---


def load_model(archive: Path) -> tuple[lgb.Booster, dict[str, Any]]:
    """The model and its schema, read out of the archive without unpacking it anywhere."""
    contents: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            for member in members:
                name = posixpath.normpath(member.name)
                file = members.extractfile(member) if member.isfile() else None
                if file and name in ("model.txt", "schema.json"):
                    contents[name] = file.read().decode("utf-8")
        return lgb.Booster(model_str=contents["model.txt"]), json.loads(contents["schema.json"])
    except KeyError as error:
        raise EvaluationError(f"{archive} has no file {error}; it is to be the output of Train") from error
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, lgb.basic.LightGBMError) as error:
        raise EvaluationError(f"{archive} is no readable model archive ({error}); run Train again") from error


def read_test(path: Path, schema: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Features, shape (n, number of features), and target, shape (n,)."""
    names = [schema["target"], *(feature["name"] for feature in schema["features"])]
    try:
        types = dict.fromkeys(names, pa.float64())
        table = pa.csv.read_csv(path, convert_options=pa.csv.ConvertOptions(column_types=types, null_values=[""]))
    except (OSError, pa.ArrowInvalid) as error:
        raise EvaluationError(
            f"{path} is no readable test split ({error}); it is to be the output of Preprocess"
        ) from error
    if table.column_names != names:
        raise EvaluationError(f"{path} has other columns than the model's schema; both must come from one execution")
    columns = [table[name].to_numpy() for name in names]
    return np.column_stack(columns[1:]), columns[0]


@dataclass(frozen=True)
class Outcome:
    """What the model said of the test split, n rows.

    labels, predictions: shape (n,), as in predictions.csv. probabilities: shape (n,), or None for a regression.
    scores: the model's output: shape (n,), or (n, classes) for more than two classes.
    truth: shape (n,), the class index or the number.
    """

    problem_type: str
    classes: list[Any]
    labels: np.ndarray
    predictions: np.ndarray
    probabilities: np.ndarray | None
    scores: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, schema: Mapping[str, Any], scores: np.ndarray, target: np.ndarray) -> Outcome:
        problem_type, classes = schema["problem_type"], schema["classes"] or []
        if problem_type == REGRESSION:
            return cls(problem_type, classes, target, scores, None, scores, target)
        truth = target.astype(np.int64)
        if problem_type == BINARY:
            return cls(problem_type, classes, truth, (scores >= 0.5).astype(np.int64), scores, scores, truth)
        names = np.array(classes, dtype=object)
        chosen = scores.argmax(axis=1)
        return cls(problem_type, classes, names[truth], names[chosen], scores.max(axis=1), scores, truth)

    @property
    def chosen(self) -> np.ndarray:
        """The index of the predicted class, shape (n,)."""
        return self.predictions if self.problem_type == BINARY else self.scores.argmax(axis=1)

    def as_csv(self) -> str:
        columns = {"prediction": self.predictions, "probability": self.probabilities, "label": self.labels}
        present = {name: values.tolist() for name, values in columns.items() if values is not None}
        file = io.StringIO()
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(present)
        lines.writerows(zip(*present.values(), strict=True))
        return file.getvalue()


# --- the report ---

HEADLINES = {
    BINARY: ["auc", "f1", "precision", "recall", "accuracy"],
    MULTICLASS: ["accuracy", "weighted_f1", "weighted_precision", "weighted_recall"],
    REGRESSION: ["rmse", "mae", "r2"],
}
TITLES = {"auc": "AUC", "f1": "F1", "rmse": "RMSE", "mae": "MAE", "r2": "R²", "weighted_f1": "Weighted F1"}

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


def report_page(
    schema: Mapping[str, Any], outcome: Outcome, metrics: Mapping[str, Any], gains: Mapping[str, float]
) -> str:
    """The whole page. Names come from the data, so every one of them is escaped."""
    tables = [metric_table(metrics)]
    if outcome.problem_type == MULTICLASS:
        tables.insert(0, class_table(metrics["confusion_matrix"]))
    classes = f" · classes {html.escape(listed(outcome.classes))}" if outcome.classes else ""
    classes += " (positive)" if outcome.problem_type == BINARY else ""
    title = f"Predicting {html.escape(schema['target'])}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: quality on the test split</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{problem_name(outcome.problem_type)}, measured on the test split: {len(outcome.truth):,} rows · {len(gains):,}
features{classes}</p>
<div class="headline">
{"".join(headline(name, metrics) for name in HEADLINES[outcome.problem_type])}
</div>
<div class="plots">
{"".join(plots(outcome, metrics, gains))}
</div>
{"".join(tables)}
</main>
</body>
</html>
"""


def problem_name(problem_type: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", problem_type).capitalize()


def headline(name: str, metrics: Mapping[str, Any]) -> str:
    deviation = metrics[name]["standard_deviation"]
    constant = metrics.get(f"{name}_best_constant_classifier")
    notes = [f"± {number(deviation)}"] if deviation != "NaN" else []
    notes += [f"best constant {number(constant['value'])}"] if constant else []
    value = number(metrics[name]["value"])
    return f"""<div class="card"><h2>{metric_title(name)}</h2><div class="value">{value}</div>
{"".join(f"<p>{note}</p>" for note in notes)}</div>
"""


def metric_title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " ").capitalize())


def number(value: float | str) -> str:
    if isinstance(value, str):
        return ""
    if value and not 1e-4 <= abs(value) < 1e7:
        return f"{value:.3e}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:,.2f}"


def metric_table(metrics: Mapping[str, Any]) -> str:
    suffix = "_best_constant_classifier"
    header, rows = ["Metric", "Value", "Standard deviation"], []
    if any(name.endswith(suffix) for name in metrics):
        header.append("Best constant classifier")
    for name, metric in metrics.items():
        if "value" in metric and not name.endswith(suffix):
            constant = metrics.get(name + suffix, {"value": "NaN"})
            cells = [metric["value"], metric["standard_deviation"], constant["value"]]
            rows.append([name, *map(number, cells)][: len(header)])
    note = "The deviation is that over five random samples of 80 % of the rows, given for 200 rows and more."
    return card("All metrics", table(header, rows), note)


def class_table(confusion: Mapping[str, Mapping[str, int]]) -> str:
    rows = []
    for label, predicted in confusion.items():
        hits, labelled = predicted[label], sum(predicted.values())
        chosen = sum(row[label] for row in confusion.values())
        shares = [f"{hits / total:.3f}" if total else "" for total in (chosen, labelled)]
        rows.append([label, f"{labelled:,}", f"{chosen:,}", *shares])
    return card("Classes", table(["Class", "Rows", "Predicted", "Precision", "Recall"], rows))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return f'<div class="scroll"><table>{line(header, "th")}\n{body}</table></div>'


def card(title: str, content: str, note: str = "", style: str = "card") -> str:
    caption = f"<p>{html.escape(note)}</p>" if note else ""
    return f'<section class="{style}"><h2>{html.escape(title)}</h2>{caption}{content}</section>\n'


# --- plots ---

# Stand-ins for colours that the page decides, by light and dark; the SVG names its variables instead.
INK, MUTED, LINE, ACCENT, SECOND = "#010101", "#010102", "#010103", "#010104", "#010105"
SERIES = [f"#01020{index}" for index in range(1, 7)]
VARIABLES = {INK: "ink", MUTED: "muted", LINE: "line", ACCENT: "accent", SECOND: "second"}
VARIABLES |= {color: f"c{index}" for index, color in enumerate(SERIES, start=1)}

PLOT_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "text.parse_math": False,
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
}
POINTS_SHOWN = 2_000
CLASSES_NUMBERED = 12
FEATURES_SHOWN = 20
CALIBRATION_BINS = 10
CALIBRATION_ROWS = 20


def plots(outcome: Outcome, metrics: Mapping[str, Any], gains: Mapping[str, float]) -> list[str]:
    if outcome.problem_type == REGRESSION:
        return regression_plots(outcome, gains)
    curves = [(str(outcome.classes[-1]), metrics)]
    note = ""
    if outcome.problem_type == MULTICLASS:
        curves = one_against_rest(outcome)
        few = (
            f", the {len(curves)} most frequent of {len(outcome.classes)}" if len(curves) < len(outcome.classes) else ""
        )
        note = f"Each class against the rest{few}"
    return [
        plot_card("ROC curve", lambda axes: draw_roc(axes, curves), note),
        plot_card("Precision-recall curve", lambda axes: draw_precision_recall(axes, curves), note),
        plot_card("Confusion matrix", lambda axes: draw_confusion(axes, outcome), "Test rows by label and prediction"),
        importance_card(gains),
        plot_card("Calibration", lambda axes: draw_calibration(axes, outcome), CALIBRATION_NOTE[outcome.problem_type]),
    ]


def regression_plots(outcome: Outcome, gains: Mapping[str, float]) -> list[str]:
    shown = np.arange(len(outcome.truth))
    note = ""
    if len(shown) > POINTS_SHOWN:
        shown = np.sort(np.random.default_rng(0).choice(len(shown), POINTS_SHOWN, replace=False))
        note = f"{POINTS_SHOWN:,} test rows, drawn by chance"
    truth, predicted = outcome.truth[shown], outcome.scores[shown]

    def against_actual(axes: Axes) -> None:
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        axes.plot(ends, ends, color=MUTED, linewidth=1, dashes=(4, 3))
        axes.scatter(truth, predicted, s=12, color=ACCENT, alpha=0.55, linewidths=0)
        axes.set(xlabel="Actual", ylabel="Predicted")

    def residuals(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=1, dashes=(4, 3))
        axes.scatter(predicted, truth - predicted, s=12, color=ACCENT, alpha=0.55, linewidths=0)
        axes.set(xlabel="Predicted", ylabel="Actual minus predicted")

    return [
        plot_card("Predicted against actual", against_actual, note),
        importance_card(gains),
        plot_card("Residuals", residuals, note),
    ]


def one_against_rest(outcome: Outcome) -> list[tuple[str, Mapping[str, Any]]]:
    """Name and binary metrics of each of the classes with most rows, as many as there are colours."""
    counts = np.bincount(outcome.truth, minlength=len(outcome.classes))
    frequent = sorted(np.argsort(-counts, kind="stable")[: len(SERIES)].tolist())
    return [
        (
            str(outcome.classes[index]),
            model_quality(BINARY, outcome.truth == index, outcome.chosen == index, outcome.scores[:, index])[
                METRICS_KEY[BINARY]
            ],
        )
        for index in frequent
    ]


def draw_roc(axes: Axes, curves: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["receiver_operating_characteristic_curve"]
        label = f"{shortened(name, 18)}: AUC {number(metrics['auc']['value'])}"
        axes.plot(curve["false_positive_rates"], curve["true_positive_rates"], color=color, label=label)
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    add_legend(axes, "lower right")


def draw_precision_recall(axes: Axes, curves: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    for (name, metrics), color in zip(curves, SERIES, strict=False):
        curve = metrics["precision_recall_curve"]
        label = f"{shortened(name, 18)}: area {number(metrics['au_prc']['value'])}"
        # without the point (0, 1), which stands for no prediction at all
        axes.plot(curve["recalls"][1:], curve["precisions"][1:], color=color, label=label)
    axes.set(xlabel="Recall", ylabel="Precision", xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    add_legend(axes, "lower left")


def add_legend(axes: Axes, corner: Literal["lower left", "lower right"]) -> None:
    """In a corner of the plot, or below it when there are too many curves for a corner to be free."""
    if len(axes.get_legend_handles_labels()[0]) > 2:
        axes.figure.legend(loc="outside lower center", ncols=2)
    else:
        axes.legend(loc=corner)


def draw_confusion(axes: Axes, outcome: Outcome) -> None:
    classes = len(outcome.classes)
    counts = np.bincount(outcome.truth * classes + outcome.chosen, minlength=classes**2).reshape(classes, classes)
    # shaded by share of the label's rows, so that a rare class shows as well as a frequent one
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.ndindex(counts.shape):
        if shares[row, column]:
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(
                mpl.patches.Rectangle(corner, 1, 1, color=ACCENT, alpha=0.6 * shares[row, column], linewidth=0)
            )
        if classes <= CLASSES_NUMBERED:
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center")
    names = [shortened(name, 16) for name in outcome.classes] if classes <= CLASSES_NUMBERED else []
    tilted: Any = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if sum(map(len, names)) > 48 else {}
    axes.set(xlim=(-0.5, classes - 0.5), ylim=(classes - 0.5, -0.5), xlabel="Prediction", ylabel="Label")
    axes.set_xticks(range(len(names)), names, **tilted)
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    axes.tick_params(length=0)


CALIBRATION_NOTE = {
    BINARY: "Share of positive labels by predicted probability, with 95 % intervals",
    MULTICLASS: "Share of right predictions by their probability, with 95 % intervals",
}


def draw_calibration(axes: Axes, outcome: Outcome) -> None:
    """By bins of equally many rows; the intervals are E. B. Wilson's (Probable Inference, 1927)."""
    probabilities = outcome.scores if outcome.problem_type == BINARY else outcome.scores.max(axis=1)
    happened = outcome.truth if outcome.problem_type == BINARY else outcome.truth == outcome.chosen
    order = np.argsort(probabilities, kind="stable")
    bins = np.array_split(order, np.clip(len(order) // CALIBRATION_ROWS, 1, CALIBRATION_BINS))
    predicted = np.array([probabilities[rows].mean() for rows in bins])
    observed = np.array([happened[rows].mean() for rows in bins])
    n, z = np.array([len(rows) for rows in bins]), 1.96
    center = (observed + z**2 / (2 * n)) / (1 + z**2 / n)
    radius = z * np.sqrt(observed * (1 - observed) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, dashes=(4, 3))
    axes.vlines(predicted, center - radius, center + radius, color=ACCENT, alpha=0.5, linewidth=1.2)
    axes.plot(predicted, observed, color=ACCENT, marker="o", markersize=4)
    axes.set(xlabel="Predicted probability", ylabel="Observed share", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))


def importance_card(gains: Mapping[str, float]) -> str:
    total = sum(gains.values()) or 1.0
    top = sorted(gains.items(), key=lambda item: -item[1])[:FEATURES_SHOWN]

    def draw(axes: Axes) -> None:
        rows = max(len(top), 5)
        axes.barh(range(len(top)), [gain / total for _, gain in top], color=ACCENT, height=0.03 * rows)
        axes.set_yticks(range(len(top)), [shortened(name) for name, _ in top])
        axes.set(ylim=(rows - 0.4, -0.6), xlabel="Share of the total gain")
        axes.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=False))
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)

    note = "How much each reduced the loss"
    if len(gains) > len(top):
        note = f"The {len(top)} of {len(gains)} features that reduced the loss most"
    return plot_card("Feature importance", draw, note, tall=True)


def plot_card(title: str, draw: Callable[[Axes], None], note: str = "", tall: bool = False) -> str:
    """A plot in a card; a tall one takes two rows of the page."""
    with mpl.rc_context(PLOT_STYLE), warnings.catch_warnings():
        # the browser draws the text, in its own fonts
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(5.2, 7.6 if tall else 3.4), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    # the page decides the size; identifiers that nothing refers to would be there once a plot
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" role="img" aria-label="{html.escape(title)}">',
        svg,
        count=1,
    )
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    for color, variable in VARIABLES.items():
        svg = svg.replace(color, f"var(--{variable})")
    return card(title, svg, note, "card tall" if tall else "card")


def shortened(value: object, limit: int = 28) -> str:
    text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(values: Sequence[object], limit: int = 8) -> str:
    texts = [shortened(value) for value in values[:limit]]
    return ", ".join(texts) + (f" and {len(values) - limit} more" if len(values) > limit else "")


if __name__ == "__main__":
    main()
