"""The section `attribution`: how much each feature contributes to the predictions."""

from __future__ import annotations

from project.settings.section import Section


class AttributionSettings(Section):
    """Global SHAP values of the model on the test split, the baseline of attribution drift."""
