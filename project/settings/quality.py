"""The section `quality`: what a model must reach to be registered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from project.settings.decision_threshold import parse_decision_threshold
from project.settings.objectives import early_stopping_metric_of
from project.settings.section import ProblemType, Section
from project.settings.training import hyperparameter

# What quality.metric may be: Model Monitor's metrics, because monitoring compares with them as well.
METRICS: dict[str, tuple[str, ...]] = {
    "BinaryClassification": ("auc", "accuracy", "precision", "recall", "f0_5", "f1", "f2"),
    "MulticlassClassification": (
        "accuracy",
        "weighted_precision",
        "weighted_recall",
        "weighted_f0_5",
        "weighted_f1",
        "weighted_f2",
    ),
    "Regression": ("rmse", "mae", "mse", "r2"),
    "Ranking": ("ndcg", "ndcg_at_5", "ndcg_at_10", "map", "map_at_10"),
}
# What gates, the champion and segments may compare besides.
OTHER_METRICS: dict[str, tuple[str, ...]] = {
    "BinaryClassification": ("average_precision", "balanced_accuracy", "mcc", "log_loss", "brier"),
    "MulticlassClassification": ("balanced_accuracy", "mcc", "log_loss"),
    "Regression": ("mape", "pinball"),
    "Ranking": (),
}
LOWER_IS_BETTER = frozenset({"rmse", "mae", "mse", "mape", "pinball", "log_loss", "brier"})

On = Literal["mean", "lower_bound"]
ON = (
    "`mean`: the value on the test split; `lower_bound`: the pessimistic end of its 95 % interval, which is the upper "
    "one of an error such as rmse."
)


class Gate(Section):
    """A metric and the value that it must reach."""

    metric: str = Field(description="Metric on the test split.")
    threshold: float = Field(description="Value the metric must reach: a minimum, or for errors a maximum.")
    on: On = Field(default="mean", description=ON)

    @property
    def lower_is_better(self) -> bool:
        return self.metric in LOWER_IS_BETTER

    @property
    def judged(self) -> Literal["value", "lower", "upper"]:
        """Which number of the metric's interval must reach the threshold."""
        if self.on == "mean":
            return "value"
        return "upper" if self.lower_is_better else "lower"


class ChampionSettings(Section):
    """The comparison with the latest approved version of the model package group, on the same test rows."""

    metric: str | None = Field(default=None, description="Metric to compare; by default `quality.metric`.")
    min_gain: float = Field(
        default=0.0,
        description="How much better than the champion a model must be; below 0, how much worse it may be.",
    )
    on: On = Field(
        default="mean",
        description="`mean`: the gain on the test split; `lower_bound`: the lower end of its paired 95 % interval.",
    )


class SegmentGate(Section):
    """What a metric must reach for each value of the segment columns."""

    metric: str = Field(description="Metric on the rows of a segment.")
    threshold: float = Field(description="Value the metric must reach: a minimum, or for errors a maximum.")
    min_rows: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Rows below which a segment is too small to decide."
    )

    @property
    def lower_is_better(self) -> bool:
        return self.metric in LOWER_IS_BETTER


class QualitySettings(Gate):
    """The requirements that decide whether a model is registered."""

    metric: str = Field(description="Metric on the test split, by Model Monitor's name; see the table of metrics.")
    threshold: float = Field(
        description="Value the metric must reach: a minimum, or for errors such as rmse a maximum."
    )
    gates: tuple[Gate, ...] = Field(default=(), description="Further metrics that must reach a value.")
    champion: ChampionSettings | None = Field(
        default=None, description="Compare with the latest approved version; by default not."
    )
    segments: tuple[str, ...] = Field(
        default=(),
        description="Columns by whose values the test metrics are also reported; dropped columns may be among them.",
    )
    segment_gate: SegmentGate | None = Field(default=None, description="What each segment must reach.")
    early_stopping_metric: str | None = Field(
        default=None,
        description="Metric of the validation split that early stopping watches, by LightGBM's name; by default the "
        "objective's own loss.",
    )
    decision_threshold: float | str | dict[str, float] = Field(
        default=0.5,
        description="Probability from which on a record is positive: a number, or a rule that chooses it on the "
        "validation split: `best-f1`, `{false_positive_cost: 1, false_negative_cost: 20}`, `{min_precision: 0.9}` or "
        "`{min_recall: 0.9}`. Only for BinaryClassification.",
    )

    @field_validator("decision_threshold", mode="before")
    @classmethod
    def _is_rule(cls, rule: Any) -> Any:
        return parse_decision_threshold(rule)

    def hyperparameters(self, problem_type: ProblemType) -> dict[str, str]:
        """Return the hyperparameters of Train that are set here."""
        metric, rule = self.early_stopping_metric, self.decision_threshold
        watched = {"early_stopping_metric": early_stopping_metric_of(problem_type, metric)} if metric else {}
        return watched | ({"decision_threshold": hyperparameter(rule)} if rule != 0.5 else {})

    @property
    def for_evaluation(self) -> dict[str, Any]:
        """The requirements in quality.json, which evaluate.py does not get as arguments."""
        settings = self.model_dump(mode="json", include={"metric", "on", "gates", "segments", "segment_gate"})
        champion = self.champion
        return settings | {
            "champion": champion and champion.model_dump(mode="json") | {"metric": champion.metric or self.metric}
        }

    @property
    def metrics(self) -> set[str]:
        """The names of all metrics that something is required of."""
        others = [part.metric for part in (self.champion, self.segment_gate) if part is not None and part.metric]
        return {self.metric, *(gate.metric for gate in self.gates), *others}

    def check(self, problem_type: ProblemType) -> None:
        """Raise ValueError unless the metrics are those of the problem type, with thresholds that they can reach."""
        if self.early_stopping_metric is not None:
            early_stopping_metric_of(problem_type, self.early_stopping_metric)
        if self.decision_threshold != 0.5 and problem_type != "BinaryClassification":
            raise ValueError(f"quality.decision_threshold is for BinaryClassification, not {problem_type}; remove it")
        _check_name("quality", self.metric, METRICS[problem_type], problem_type)
        _check_threshold("quality", self, problem_type)
        for index, gate in enumerate(self.gates):
            _check_threshold(f"quality.gates[{index}]", gate, problem_type)
        named = [(gate.metric, gate.on) for gate in (self, *self.gates)]
        for index, pair in enumerate(named[1:]):
            if pair in named[: index + 1]:
                raise ValueError(f"quality.gates[{index}] repeats the metric {pair[0]!r}; give it one threshold")
        if self.champion is not None:
            allowed = (*METRICS[problem_type], *OTHER_METRICS[problem_type])
            _check_name("quality.champion", self.champion.metric or self.metric, allowed, problem_type)
        if self.segment_gate is not None:
            _check_threshold("quality.segment_gate", self.segment_gate, problem_type)
            if not self.segments:
                raise ValueError("quality.segment_gate needs segments: name their columns in quality.segments")


def _check_threshold(where: str, gate: Gate | SegmentGate, problem_type: ProblemType) -> None:
    metric, threshold = gate.metric, gate.threshold
    _check_name(where, metric, (*METRICS[problem_type], *OTHER_METRICS[problem_type]), problem_type)
    if needed := needed_threshold(metric, threshold):
        raise ValueError(f"{where}.threshold is {threshold:g}; for {metric} it must be {needed}")


def needed_threshold(metric: str, threshold: float) -> str:
    """Return what the threshold of a metric must be, such as "between 0 and 1"; empty if it is that."""
    if metric in LOWER_IS_BETTER:
        return "" if threshold > 0 else "greater than 0"
    if metric == "r2":
        return "" if threshold <= 1 else "at most 1"
    if metric == "mcc":
        return "" if -1 <= threshold <= 1 else "between -1 and 1"
    return "" if 0 <= threshold <= 1 else "between 0 and 1"


def _check_name(where: str, metric: str, allowed: tuple[str, ...], problem_type: ProblemType) -> None:
    if metric not in allowed:
        raise ValueError(f"{where}.metric is {metric!r}; for {problem_type} it must be one of {', '.join(allowed)}")
