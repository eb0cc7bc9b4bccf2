import pytest

from local_sagemaker.events.alarms.metric_math import MetricMathError, Series, evaluate

METRICS: dict[str, Series] = {"m1": [1.0, 4.0, None], "m2": [2.0, 0.0, 3.0]}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("m1 + 2 * m2", [5, 4, None]),
        ("100 * m1 / m2", [50, None, None]),
        ("-m1", [-1, -4, None]),
        ("m1 ^ 2", [1, 16, None]),
        ("MAX([m1, m2])", [2, 4, 3]),
        ("MIN(METRICS())", [1, 0, 3]),
        ("sum([m1, m2, 1])", [4, 5, 4]),
        ("AVG(METRICS())", [1.5, 2, 3]),
        ("FILL(m1, 0)", [1, 4, 0]),
        ("IF(m1 > m2, m1, -1)", [-1, 4, None]),
        ("ABS(m1 - m2)", [1, 4, None]),
        ("0.5", [0.5, 0.5, 0.5]),
    ],
)
def test_an_expression_is_evaluated_period_by_period(expression: str, expected: list[float | None]) -> None:
    assert evaluate(expression, METRICS, ["m1", "m2"]) == expected


UNSUPPORTED = "m3", "m1 +", "ANOMALY_DETECTION_BAND(m1, 2)", "SELECT AVG(x)", "__import__('os')", "m1.real", "MAX(m1)"


@pytest.mark.parametrize("expression", UNSUPPORTED)
def test_unsupported_expressions_are_rejected(expression: str) -> None:
    with pytest.raises(MetricMathError):
        evaluate(expression, METRICS, ["m1", "m2"])
