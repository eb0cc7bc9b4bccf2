"""What a watched endpoint costs a month, estimated from a price table that is checked in (`prices.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from deployment.plan import EndpointMode
from project.errors import UserError
from project.settings import Settings

PRICES = Path(__file__).with_name("prices.json")

_DAYS = 30.4  # of a month, on average
# What nobody knows beforehand; every estimate prints it.
_KILOBYTES = 2.5  # a record and its answer
_CAPTURE_KILOBYTES = 3.0  # both, as captured
_SERVERLESS_SECONDS = 0.05  # to answer one request
_CHECK_MINUTES = 5  # of a processing job, start included
_JOBS_PER_CHECK = 2  # data quality and model quality
_ALARMS = 2


@dataclass(frozen=True)
class Item:
    """low and high: USD a month, apart where autoscaling makes a difference. basis: what they are made from."""

    name: str
    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Estimate:
    """price_date: of the price table."""

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
    """A month's cost, item by item.

    Raises:
        UserError: the table has no price for the region or an instance type.
    """
    table: dict[str, Any] = json.loads(PRICES.read_text())
    if region not in table["regions"]:
        known = ", ".join(table["regions"])
        raise UserError(f"there are no prices for region {region!r}; give one of {known} with --region")
    prices: _Prices = table["regions"][region]
    requests = requests_per_day * _DAYS
    items = (
        _endpoint(settings, prices, mode, requests),
        _same("data in and out", requests * _KILOBYTES / 1e6 * prices["data_gb"], f"{_KILOBYTES} kB a request"),
        _captures(settings, prices, requests),
        _monitoring(settings, prices, checks_per_day),
        _alarms(prices, mode),
    )
    return Estimate(region, table["date"], items)


def _endpoint(settings: Settings, prices: _Prices, mode: EndpointMode, requests: float) -> Item:
    deployment = settings.deployment
    if mode == "serverless":
        gigabytes = deployment.serverless.memory_in_mb / 1024
        cost = requests * _SERVERLESS_SECONDS * gigabytes * prices["serverless_gb_second"]
        return _same("endpoint", cost, f"{gigabytes:g} GB for {_SERVERLESS_SECONDS * 1000:g} ms a request")
    hourly = _hourly(prices, deployment.instance_type, "deployment.instance_type")
    low, high = (count * hourly * 24 * _DAYS for count in (deployment.instance_count, deployment.max_instance_count))
    counts = f"{deployment.instance_count} to {deployment.max_instance_count}"
    if not deployment.autoscaling:
        counts = str(deployment.instance_count)
    return Item("endpoint", low, high, f"{counts} x {deployment.instance_type} at {hourly:g} an hour")


def _captures(settings: Settings, prices: _Prices, requests: float) -> Item:
    captured = requests * settings.deployment.capture_percentage / 100
    gigabytes = captured * _CAPTURE_KILOBYTES / 1e6
    files = min(captured, 60 * 24 * _DAYS)
    cost = gigabytes * prices["storage_gb_month"] + files / 1000 * prices["put_requests_1000"]
    return _same("captures", cost, f"{gigabytes:.3g} GB, a file a minute; for each month that they are kept")


def _monitoring(settings: Settings, prices: _Prices, checks_per_day: float) -> Item:
    instance_type = settings.resources.processing_instance_type
    hourly = _hourly(prices, instance_type, "resources.processing_instance_type")
    hours = checks_per_day * _DAYS * _JOBS_PER_CHECK * _CHECK_MINUTES / 60
    instances = settings.resources.processing_instance_count
    basis = f"{checks_per_day:g} checks a day, {_JOBS_PER_CHECK} jobs of {_CHECK_MINUTES} min on {instance_type}"
    return _same("monitoring", hours * hourly * instances, basis)


def _alarms(prices: _Prices, mode: EndpointMode) -> Item:
    count = _ALARMS if mode == "real-time" else 0
    return _same("alarms", count * prices["alarm_month"], f"{count} that take an update back")


def _hourly(prices: _Prices, instance_type: str, setting: str) -> float:
    if instance_type not in prices["instance_hour"]:
        known = ", ".join(prices["instance_hour"])
        raise UserError(f"{setting} is {instance_type}, for which there is no price; there are prices for {known}")
    return prices["instance_hour"][instance_type]


def _same(name: str, cost: float, basis: str) -> Item:
    return Item(name, cost, cost, basis)
