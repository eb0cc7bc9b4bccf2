"""An estimate of the monthly cost of a monitored endpoint, from the price table in `prices.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from deployment.plan import EndpointMode
from project.errors import UserError
from project.settings import Settings

PRICES = Path(__file__).with_name("prices.json")

_DAYS_PER_MONTH = 30.4
# Assumptions, which every estimate prints
_KILOBYTES_PER_REQUEST = 2.5
_KILOBYTES_PER_CAPTURE = 3.0
_SERVERLESS_SECONDS_PER_REQUEST = 0.05
# a processing job, including its start
_MINUTES_PER_JOB = 5
# data quality and model quality
_JOBS_PER_CHECK = 2
_ROLLBACK_ALARMS = 2


@dataclass(frozen=True)
class Item:
    """One position of the estimate.

    Attributes:
        name: What is paid for.
        low: USD per month without autoscaling.
        high: USD per month at the maximum instance count.
        basis: Quantities and prices behind the amount.
    """

    name: str
    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Estimate:
    """The cost per month, item by item; `price_date` is the date of the price table."""

    region: str
    price_date: str
    items: tuple[Item, ...]

    @property
    def low(self) -> float:
        return sum(item.low for item in self.items)

    @property
    def high(self) -> float:
        return sum(item.high for item in self.items)


class _Prices(TypedDict):
    instance_hour: dict[str, float]
    serverless_gb_second: float
    data_gb: float
    storage_gb_month: float
    put_requests_1000: float
    alarm_month: float


def estimate_cost(
    settings: Settings, region: str, mode: EndpointMode, requests_per_day: int, checks_per_day: float
) -> Estimate:
    """Estimate the cost per month.

    Args:
        settings: The project's settings: instance types and counts, capture percentage.
        region: An AWS region of the price table.
        mode: The kind of endpoint.
        requests_per_day: Requests to the endpoint.
        checks_per_day: Monitoring executions, each with a job for data quality and one for model quality.

    Raises:
        UserError: The table has no price for the region or an instance type.
    """
    table: dict[str, Any] = json.loads(PRICES.read_text())
    if region not in table["regions"]:
        known = ", ".join(table["regions"])
        raise UserError(f"no prices for region {region!r}; give one of {known} with --region")
    prices: _Prices = table["regions"][region]
    requests = requests_per_day * _DAYS_PER_MONTH
    items = (
        _endpoint(settings, prices, mode, requests),
        _fixed(
            "data in and out",
            requests * _KILOBYTES_PER_REQUEST / 1e6 * prices["data_gb"],
            f"{_KILOBYTES_PER_REQUEST} kB per request",
        ),
        _captures(settings, prices, requests),
        _monitoring(settings, prices, checks_per_day),
        _alarms(prices, mode),
    )
    return Estimate(region, table["date"], items)


def _endpoint(settings: Settings, prices: _Prices, mode: EndpointMode, requests: float) -> Item:
    deployment = settings.deployment
    if mode == "serverless":
        gigabytes = deployment.serverless.memory_in_mb / 1024
        cost = requests * _SERVERLESS_SECONDS_PER_REQUEST * gigabytes * prices["serverless_gb_second"]
        return _fixed(
            "endpoint", cost, f"{gigabytes:g} GB for {_SERVERLESS_SECONDS_PER_REQUEST * 1000:g} ms per request"
        )
    hourly = _hourly(prices, deployment.instance_type, "deployment.instance_type")
    low, high = (
        count * hourly * 24 * _DAYS_PER_MONTH for count in (deployment.instance_count, deployment.max_instance_count)
    )
    counts = f"{deployment.instance_count} to {deployment.max_instance_count}"
    if not deployment.autoscaling:
        counts = str(deployment.instance_count)
    return Item("endpoint", low, high, f"{counts} x {deployment.instance_type} at {hourly:g} per hour")


def _captures(settings: Settings, prices: _Prices, requests: float) -> Item:
    captured = requests * settings.deployment.capture_percentage / 100
    gigabytes = captured * _KILOBYTES_PER_CAPTURE / 1e6
    files = min(captured, 60 * 24 * _DAYS_PER_MONTH)
    cost = gigabytes * prices["storage_gb_month"] + files / 1000 * prices["put_requests_1000"]
    return _fixed("captures", cost, f"{gigabytes:.3g} GB, one file per minute; for each month of retention")


def _monitoring(settings: Settings, prices: _Prices, checks_per_day: float) -> Item:
    instance_type = settings.resources.processing_instance_type
    hourly = _hourly(prices, instance_type, "resources.processing_instance_type")
    hours = checks_per_day * _DAYS_PER_MONTH * _JOBS_PER_CHECK * _MINUTES_PER_JOB / 60
    instances = settings.resources.processing_instance_count
    basis = f"{checks_per_day:g} checks per day, {_JOBS_PER_CHECK} jobs of {_MINUTES_PER_JOB} min on {instance_type}"
    return _fixed("monitoring", hours * hourly * instances, basis)


def _alarms(prices: _Prices, mode: EndpointMode) -> Item:
    count = _ROLLBACK_ALARMS if mode == "real-time" else 0
    return _fixed("alarms", count * prices["alarm_month"], f"{count} rollback alarms")


def _hourly(prices: _Prices, instance_type: str, setting: str) -> float:
    if instance_type not in prices["instance_hour"]:
        known = ", ".join(prices["instance_hour"])
        raise UserError(f"no price for {setting} {instance_type!r}; prices are known for {known}")
    return prices["instance_hour"][instance_type]


def _fixed(name: str, cost: float, basis: str) -> Item:
    return Item(name, cost, cost, basis)
