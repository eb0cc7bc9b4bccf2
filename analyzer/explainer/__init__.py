"""Clarify's online explainer: explains the predictions that an endpoint's model makes for a request.

    endpoint -> python -m analyzer.explainer -> endpoint -> model

It follows "Online explainability" in SageMaker's developer guide: Kernel SHAP on synthetic records that mix the values
of a request's record with those of the SHAP baseline.
"""
