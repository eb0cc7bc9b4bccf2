"""The estimate of the monthly cost."""

from __future__ import annotations

import datetime
import json

import pytest

from deployment.cost import PRICES, Estimate, estimate_cost
from deployment.plan import EndpointMode
from project.errors import UserError
from project.settings import Settings
from tests.deployment.conftest import MakeSettings


def cost(settings: Settings, mode: EndpointMode = "real-time", requests: int = 10000, checks: float = 24) -> Estimate:
    return estimate_cost(settings, "us-east-1", mode, requests, checks)


def item_cost(estimate: Estimate, name: str) -> float:
    return next(item.low for item in estimate.items if item.name == name)


def test_the_price_table_is_complete_and_dated() -> None:
    table = json.loads(PRICES.read_text())
    assert datetime.date.fromisoformat(table["date"])
    first, *others = table["regions"].values()
    assert all(region.keys() == first.keys() for region in others)
    assert all(region["instance_hour"].keys() == first["instance_hour"].keys() for region in others)


def test_an_endpoint_costs_its_instances_around_the_clock(make_settings: MakeSettings) -> None:
    estimate = cost(make_settings(deployment={"instance_count": 2, "max_instance_count": 5}))
    (endpoint,) = (item for item in estimate.items if item.name == "endpoint")
    assert endpoint.low == pytest.approx(2 * 0.115 * 24 * 30.4)
    assert endpoint.high == pytest.approx(5 * 0.115 * 24 * 30.4)
    assert estimate.high - estimate.low == pytest.approx(endpoint.high - endpoint.low)


def test_a_serverless_endpoint_costs_nothing_without_requests(settings: Settings) -> None:
    assert item_cost(cost(settings, "serverless", requests=0), "endpoint") == 0
    assert item_cost(cost(settings, "serverless"), "endpoint") > 0


def test_fewer_checks_and_fewer_captures_cost_less(make_settings: MakeSettings) -> None:
    assert item_cost(cost(make_settings(), checks=1), "monitoring") == pytest.approx(
        item_cost(cost(make_settings()), "monitoring") / 24
    )
    assert item_cost(cost(make_settings(deployment={"capture_percentage": 0})), "captures") == 0


def test_a_missing_price_is_reported_with_the_known_ones(make_settings: MakeSettings) -> None:
    with pytest.raises(UserError, match=r"no prices for region 'mars-1'; give one of us-east-1, .* with --region"):
        estimate_cost(make_settings(), "mars-1", "real-time", 1, 1)
    with pytest.raises(UserError, match=r"no price for deployment\.instance_type 'ml\.g5\.xlarge'"):
        cost(make_settings(deployment={"instance_type": "ml.g5.xlarge"}))
