"""The metrics of bias: Clarify's names and descriptions, and what each of them means."""

from __future__ import annotations

from dataclasses import dataclass

PRE_TRAINING, POST_TRAINING = "pre_training", "post_training"


@dataclass(frozen=True)
class BiasMetric:
    """A metric of bias.

    Attributes:
        name: Clarify's abbreviation.
        description: Clarify's description, as in analysis.json.
        meaning: What it compares, in one sentence; group d is the facet's sensitive group, group a all others.
        stage: PRE_TRAINING or POST_TRAINING.
        fair_value: The value without bias.
        needs_labels: Whether it is computed from observed labels.
        needs_predictions: Whether it is computed from predicted labels.
        needs_group_variable: Whether it is computed by subgroup.
        needs_features: Whether it is computed from the features, which takes a search for neighbours.
    """

    name: str
    description: str
    meaning: str
    stage: str
    fair_value: float = 0.0
    needs_labels: bool = False
    needs_predictions: bool = False
    needs_group_variable: bool = False
    needs_features: bool = False


def _pre(name: str, description: str, meaning: str, needs_labels: bool = True, by_group: bool = False) -> BiasMetric:
    return BiasMetric(
        name, description, meaning, PRE_TRAINING, needs_labels=needs_labels, needs_group_variable=by_group
    )


def _post(
    name: str,
    description: str,
    meaning: str,
    fair_value: float = 0.0,
    needs_labels: bool = True,
    by_group: bool = False,
    by_features: bool = False,
) -> BiasMetric:
    return BiasMetric(
        name,
        description,
        meaning,
        POST_TRAINING,
        fair_value,
        needs_labels,
        needs_predictions=True,
        needs_group_variable=by_group,
        needs_features=by_features,
    )


# In the order of analysis.json, which is that of the names.
METRICS: tuple[BiasMetric, ...] = (
    _pre(
        "CDDL",
        "Conditional Demographic Disparity in Labels (CDDL)",
        "The group's share of the negative labels less its share of the positive labels, averaged over subgroups.",
        by_group=True,
    ),
    _pre(
        "CI",
        "Class Imbalance (CI)",
        "How many more records the other group has, as a share of all records: 0 if the groups are equally large.",
        needs_labels=False,
    ),
    _pre(
        "DPL",
        "Difference in Positive Proportions in Labels (DPL)",
        "The share of positive labels in the other group less that in this group.",
    ),
    _pre(
        "JS",
        "Jensen-Shannon Divergence (JS)",
        "How far the labels of both groups are from their average distribution, in nats.",
    ),
    _pre(
        "KL",
        "Kullback-Liebler Divergence (KL)",
        "How far the labels of the other group diverge from those of this group, in nats.",
    ),
    _pre(
        "KS",
        "Kolmogorov-Smirnov Distance (KS)",
        "The largest difference between the groups' shares of a label.",
    ),
    _pre(
        "LP",
        "L-p Norm (LP)",
        "The Euclidean distance between the groups' shares of labels.",
    ),
    _pre(
        "TVD",
        "Total Variation Distance (TVD)",
        "Half of the sum of the differences between the groups' shares of labels.",
    ),
    _post(
        "AD",
        "Accuracy Difference (AD)",
        "The accuracy of predictions for the other group less that for this group.",
    ),
    _post(
        "CDDPL",
        "Conditional Demographic Disparity in Predicted Labels (CDDPL)",
        "The group's share of the negative predictions less its share of the positive ones, averaged over subgroups.",
        needs_labels=False,
        by_group=True,
    ),
    _post(
        "DAR",
        "Difference in Acceptance Rates (DAR)",
        "The precision of positive predictions for the other group less that for this group.",
    ),
    _post(
        "DCA",
        "Difference in Conditional Acceptance (DCA)",
        "The ratio of positive labels to positive predictions in the other group less that in this group.",
    ),
    _post(
        "DCR",
        "Difference in Conditional Rejection (DCR)",
        "The ratio of negative labels to negative predictions in this group less that in the other group.",
    ),
    _post(
        "DI",
        "Disparate Impact (DI)",
        "The share of positive predictions in this group divided by that in the other group.",
        fair_value=1.0,
        needs_labels=False,
    ),
    _post(
        "DPPL",
        "Difference in Positive Proportions in Predicted Labels (DPPL)",
        "The share of positive predictions in the other group less that in this group.",
        needs_labels=False,
    ),
    _post(
        "DRR",
        "Difference in Rejection Rates (DRR)",
        "The precision of negative predictions for this group less that for the other group.",
    ),
    _post(
        "FT",
        "Flip Test (FT)",
        "The share of this group that gets a better prediction than similar records of the other group, less the share "
        "that gets a worse one.",
        needs_labels=False,
        by_features=True,
    ),
    _post(
        "GE",
        "Generalized Entropy (GE)",
        "How unequally predictions that are better or worse than the label are spread over all records.",
    ),
    _post(
        "RD",
        "Recall Difference (RD)",
        "The recall of predictions for the other group less that for this group.",
    ),
    _post(
        "SD",
        "Specificity Difference (SD)",
        "The specificity of predictions for this group less that for the other group.",
    ),
    _post(
        "TE",
        "Treatment Equality (TE)",
        "The ratio of false negatives to false positives in this group less that in the other group.",
    ),
)

BY_NAME = {metric.name: metric for metric in METRICS}
PRE_TRAINING_NAMES = tuple(metric.name for metric in METRICS if metric.stage == PRE_TRAINING)
POST_TRAINING_NAMES = tuple(metric.name for metric in METRICS if metric.stage == POST_TRAINING)
