"""Decoding of requests, as in the XGBoost image."""

import xgboost as xgb
from xgboost_inference import input_fn


def csv_to_dmatrix(input: str | bytes, dtype: object = None) -> xgb.DMatrix:
    """Return the rows of a CSV text without labels; `dtype` has no effect."""
    return input_fn(input, "text/csv")


def libsvm_to_dmatrix(string_like: str | bytes) -> xgb.DMatrix:
    """Return the rows of a libsvm text."""
    return input_fn(string_like, "text/libsvm")
