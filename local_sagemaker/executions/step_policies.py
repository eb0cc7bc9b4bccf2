"""What a step's definition says of failed attempts and of earlier results: RetryPolicies and CacheConfig."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

# SageMaker.CAPACITY_ERROR is what the SDK writes, SageMaker.JOB_CAPACITY_ERROR what the developer guide calls it
EXCEPTION_TYPES = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.JOB_CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
)

# the schema's largest values
_LIMITS = {"IntervalSeconds": 43200, "BackoffRate": 1e9, "MaxAttempts": 20, "ExpireAfterMin": 14400}

_DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+)S)?)?",
    re.IGNORECASE,
)


class PolicyError(ValueError):
    """A retry policy or a cache configuration that can't be honoured; the message says which field and why."""


@dataclass(frozen=True)
class RetryPolicy:
    """When a failed attempt is followed by another. The defaults are the service's; of the limits one is None."""

    exception_types: tuple[str, ...]
    interval_seconds: float = 1
    backoff_rate: float = 2
    max_attempts: int | None = 5
    expire_after_minutes: float | None = None

    def delay(self, retries: int, elapsed: float) -> float | None:
        """Seconds to wait before the next attempt, None for no further one.

        retries: how many there were under this policy. elapsed: seconds since the step's first attempt began.
        """
        delay = self.interval_seconds * self.backoff_rate**retries
        if self.max_attempts is not None:
            return delay if retries < self.max_attempts else None
        assert self.expire_after_minutes is not None
        return delay if elapsed + delay <= 60 * self.expire_after_minutes else None


# what the service retries by itself, unless a policy of the step names these types
DEFAULT_POLICY = RetryPolicy(("Step.SERVICE_FAULT", "Step.THROTTLING"))


class Retries:
    """The retries of one step, from its first attempt on."""

    def __init__(self, policies: Iterable[RetryPolicy]) -> None:
        self._policies = [*policies, DEFAULT_POLICY]
        self._used = [0] * len(self._policies)
        self._start = time.monotonic()

    def delay(self, exception_type: str | None) -> float | None:
        """Count an attempt that failed in this way; seconds to wait before the next, None where there is to be none."""
        for index, policy in enumerate(self._policies):
            if exception_type in policy.exception_types:
                delay = policy.delay(self._used[index], time.monotonic() - self._start)
                self._used[index] += 1
                return delay
        return None


def retry_policies(items: Any) -> tuple[RetryPolicy, ...]:
    """Read RetryPolicies. Raises PolicyError."""
    if not isinstance(items or [], list):
        raise PolicyError(f"RetryPolicies must be a list, it is {items!r}")
    return tuple(_retry_policy(item) for item in items or ())


def cache_expires_after(item: Any) -> timedelta | None:
    """Read CacheConfig: how old a result may be, None where earlier results are not used. Raises PolicyError."""
    if not isinstance(item or {}, dict):
        raise PolicyError(f"CacheConfig must be a structure, it is {item!r}")
    if not item or not item.get("Enabled"):
        return None
    text = item.get("ExpireAfter")
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None or not any(match.groups()):
        raise PolicyError(f"CacheConfig: ExpireAfter must be an ISO 8601 duration such as P30D or PT1H, it is {text!r}")
    amounts = {unit: int(amount) for unit, amount in match.groupdict(default="0").items()}
    amounts["days"] += 365 * amounts.pop("years") + 30 * amounts.pop("months")
    try:
        return timedelta(**amounts)
    except OverflowError:
        raise PolicyError(f"CacheConfig: ExpireAfter {text!r} is longer than can be counted") from None


def _retry_policy(item: Any) -> RetryPolicy:
    if not isinstance(item, Mapping):
        raise PolicyError(f"a retry policy must be a structure, it is {item!r}")
    types = item.get("ExceptionType")
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not types or any(name not in EXCEPTION_TYPES for name in types):
        raise PolicyError(f"RetryPolicies: ExceptionType is {types!r}; there are {', '.join(EXCEPTION_TYPES)}")
    given = {key: item[key] for key in _LIMITS if item.get(key) is not None}
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LIMITS[key]:
            raise PolicyError(f"RetryPolicies: {key} must be a number from 0 to {_LIMITS[key]:g}, it is {value!r}")
    if "MaxAttempts" in given and "ExpireAfterMin" in given:
        raise PolicyError("RetryPolicies: only one of MaxAttempts and ExpireAfterMin can be given")
    expires = given.get("ExpireAfterMin")
    return RetryPolicy(
        exception_types=tuple(types),
        interval_seconds=given.get("IntervalSeconds", RetryPolicy.interval_seconds),
        backoff_rate=given.get("BackoffRate", RetryPolicy.backoff_rate),
        max_attempts=None if expires is not None else given.get("MaxAttempts", RetryPolicy.max_attempts),
        expire_after_minutes=expires,
    )
