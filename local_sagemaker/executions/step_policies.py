"""The policies of a step: RetryPolicies and CacheConfig."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

# the SDK writes SageMaker.CAPACITY_ERROR, the developer guide documents SageMaker.JOB_CAPACITY_ERROR
EXCEPTION_TYPES = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.JOB_CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)

# maximum values of the schema
_LIMITS = {"IntervalSeconds": 43200, "BackoffRate": 1e9, "MaxAttempts": 20, "ExpireAfterMin": 14400}

_DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)


class PolicyError(ValueError):
    """An invalid retry policy or cache configuration; the message names the member and the reason."""


@dataclass(frozen=True)
class RetryPolicy:
    """A retry policy. The defaults are the service's.

    Attributes:
        max_attempts: None if expire_after_minutes limits the retries.
        expire_after_minutes: None if max_attempts limits the retries.
    """

    exception_types: tuple[str, ...]
    interval_seconds: float = 1
    backoff_rate: float = 2
    max_attempts: int | None = 5
    expire_after_minutes: float | None = None

    def delay(self, retries: int, elapsed: float) -> float | None:
        """Return the seconds to wait before the next attempt, or None if there is none.

        Args:
            retries: Number of retries under this policy so far.
            elapsed: Seconds since the start of the step's first attempt.
        """
        delay = self.interval_seconds * self.backoff_rate**retries
        if self.max_attempts is not None:
            return delay if retries < self.max_attempts else None
        assert self.expire_after_minutes is not None
        return delay if elapsed + delay <= 60 * self.expire_after_minutes else None


# applied by the service unless a policy of the step names these exception types
DEFAULT_POLICY = RetryPolicy(("Step.SERVICE_FAULT", "Step.THROTTLING"))


class Retries:
    """The retries of one step; the time starts with its first attempt."""

    def __init__(self, policies: Iterable[RetryPolicy]) -> None:
        self._policies = [*policies, DEFAULT_POLICY]
        self._used = [0] * len(self._policies)
        self._start = time.monotonic()

    def delay(self, exception_type: str | None) -> float | None:
        """Record a failed attempt; return the seconds to wait before the next, or None if there is none."""
        for index, policy in enumerate(self._policies):
            if exception_type in policy.exception_types:
                delay = policy.delay(self._used[index], time.monotonic() - self._start)
                self._used[index] += 1
                return delay
        return None


def retry_policies(items: Any) -> tuple[RetryPolicy, ...]:
    """Parse RetryPolicies.

    Raises:
        PolicyError: A policy is invalid.
    """
    if not isinstance(items or [], list):
        raise PolicyError(f"RetryPolicies must be a list, not {items!r}")
    return tuple(_retry_policy(item) for item in items or ())


def cache_expires_after(item: Any) -> timedelta | None:
    """Parse CacheConfig.

    Returns:
        The maximum age of a cached result, or None if caching is off.

    Raises:
        PolicyError: ExpireAfter is missing or is not an ISO 8601 duration.
    """
    if not isinstance(item or {}, dict):
        raise PolicyError(f"CacheConfig must be an object, not {item!r}")
    if not item or not item.get("Enabled"):
        return None
    text = item.get("ExpireAfter")
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        raise PolicyError(f"CacheConfig: ExpireAfter must be an ISO 8601 duration such as P30D or PT1H, not {text!r}")
    amounts = {unit: int(amount) for unit, amount in match.groupdict(default="0").items()}
    amounts["days"] += 365 * amounts.pop("years") + 30 * amounts.pop("months")
    try:
        return timedelta(**amounts)
    except OverflowError:
        raise PolicyError(f"CacheConfig: ExpireAfter {text!r} is too long") from None


def _retry_policy(item: Any) -> RetryPolicy:
    if not isinstance(item, Mapping):
        raise PolicyError(f"RetryPolicies: a policy must be an object, not {item!r}")
    types = item.get("ExceptionType")
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not types or any(name not in EXCEPTION_TYPES for name in types):
        supported = ", ".join(EXCEPTION_TYPES)
        raise PolicyError(f"RetryPolicies: invalid ExceptionType {types!r}; supported exception types: {supported}")
    given = {key: item[key] for key in _LIMITS if item.get(key) is not None}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LIMITS[key]:
            raise PolicyError(f"RetryPolicies: {key} must be a number from 0 to {_LIMITS[key]:g}, not {value!r}")
    if "MaxAttempts" in given and "ExpireAfterMin" in given:
        raise PolicyError("RetryPolicies: MaxAttempts and ExpireAfterMin are mutually exclusive")
    expires = given.get("ExpireAfterMin")
    return RetryPolicy(
        exception_types=tuple(types),
        interval_seconds=given.get("IntervalSeconds", RetryPolicy.interval_seconds),
        backoff_rate=given.get("BackoffRate", RetryPolicy.backoff_rate),
        max_attempts=None if expires is not None else given.get("MaxAttempts", RetryPolicy.max_attempts),
        expire_after_minutes=expires,
    )
