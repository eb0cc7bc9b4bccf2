"""The explainer's configuration: ClarifyExplainerConfig of an endpoint configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from analyzer import QualityError

CSV, JSON_LINES = "text/csv", "application/jsonlines"
ALWAYS = "`true`"
MEGABYTE = 1 << 20


class ConfigError(QualityError):
    """A configuration that the explainer cannot work with; the message is for the endpoint's FailureReason."""


class Expression:
    """A JMESPath expression.

    Args:
        member: The member of the configuration or the request that has it.
        text: The expression.

    Raises:
        ConfigError: It is not valid.
    """

    def __init__(self, member: str, text: str) -> None:
        self._name = f"{member} {text!r}"
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise ConfigError(f"{self._name} is not a valid JMESPath expression: {_first_line(error)}") from error

    def __str__(self) -> str:
        return self._name

    def search(self, value: Any) -> Any:
        """Return what the expression finds in a value, None for nothing. Raises ConfigError if it does not fit it."""
        try:
            return self._compiled.search(value)
        # of comparisons of unlike values
        except (JMESPathError, TypeError) as error:
            raise ConfigError(f"{self._name} does not fit {str(value)[:100]!r}: {_first_line(error)}") from error


@dataclass(frozen=True)
class ExplainerConfig:
    """What to explain, and how the model is asked and its answers are read.

    Attributes:
        enable: JMESPath expression: whether a record with this prediction is explained.
        features: JMESPath expression of the features in a JSON record.
        template: Text of a JSON record of the model, with the placeholder $features.
        max_records: The most records of a request to the model; None if that is to be found out.
        max_payload: The most bytes of a request to the model.
        probability_index: Column of the scores in CSV; None if all columns are scores.
        probability: JMESPath expression of the scores in JSON.
        label_index: Column of the names of the outputs in CSV.
        label: JMESPath expression of the names of the outputs in JSON.
        label_headers: The names of the outputs, if they are given.
        feature_headers: The names of the features, if they are given.
        baseline_type: MIME type of the SHAP baseline.
        num_samples: The most synthetic records for a record and a row of the baseline; None for the default.
        use_logit: Whether log-odds are explained.
        seed: Makes explanations reproducible.
    """

    enable: Expression
    features: Expression | None = None
    template: str | None = None
    max_records: int | None = None
    max_payload: int = 6 * MEGABYTE
    probability_index: int | None = None
    probability: Expression | None = None
    label_index: int | None = None
    label: Expression | None = None
    label_headers: list[str] = field(default_factory=list)
    feature_headers: list[str] = field(default_factory=list)
    baseline_type: str = CSV
    num_samples: int | None = None
    use_logit: bool = False
    seed: int | None = None

    @classmethod
    def from_api(cls, config: Mapping[str, Any]) -> ExplainerConfig:
        """Return the configuration that a ClarifyExplainerConfig describes.

        Raises:
            ConfigError: A JMESPath expression is not valid.
        """
        inference: Mapping[str, Any] = config.get("InferenceConfig", {})
        shap: Mapping[str, Any] = config["ShapConfig"]
        return cls(
            enable=Expression("EnableExplanations", config.get("EnableExplanations", ALWAYS)),
            features=_expression(inference, "FeaturesAttribute"),
            template=inference.get("ContentTemplate"),
            max_records=inference.get("MaxRecordCount"),
            max_payload=inference.get("MaxPayloadInMB", 6) * MEGABYTE,
            probability_index=inference.get("ProbabilityIndex"),
            probability=_expression(inference, "ProbabilityAttribute"),
            label_index=inference.get("LabelIndex"),
            label=_expression(inference, "LabelAttribute"),
            label_headers=inference.get("LabelHeaders", []),
            feature_headers=inference.get("FeatureHeaders", []),
            baseline_type=media_type(shap["ShapBaselineConfig"].get("MimeType", CSV)),
            num_samples=shap.get("NumberOfSamples"),
            use_logit=shap.get("UseLogit", False),
            seed=shap.get("Seed"),
        )


def media_type(content_type: str) -> str:
    """Return the media type without its parameters."""
    kind = content_type.partition(";")[0].strip().lower()
    return JSON_LINES if kind == "application/x-jsonlines" else kind


def _expression(members: Mapping[str, Any], name: str) -> Expression | None:
    return Expression(name, members[name]) if name in members else None


def _first_line(error: Exception) -> str:
    # the others point at the place in the expression
    return str(error).partition("\n")[0].rstrip(":")
