"""An endpoint that answers: which of its fleets, and which variant in it, a request goes to."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from local_sagemaker.endpoints.capture import CaptureConfig
from local_sagemaker.endpoints.variant import Unavailable, Variant


class NoSuchVariant(Exception):
    """The endpoint has no variant to send the request to; the message says why."""


class FleetFailed(Exception):
    """A fleet does not come up; the message is the endpoint's FailureReason."""


@dataclass(frozen=True, eq=False)
class Fleet:
    """The variants of one endpoint configuration. capture: None where nothing is captured."""

    variants: Sequence[Variant]
    capture: CaptureConfig | None

    def start(self) -> None:
        """Bring all variants up, at once. Raises FleetFailed, in the service's words and the container's."""
        failures: list[str] = []

        def start(variant: Variant) -> None:
            try:
                variant.start()
            except Unavailable as error:
                failures.append(
                    f"The primary container for production variant {variant.name} did not pass the ping health check. "
                    f"Please check CloudWatch logs for this endpoint. {error}"
                )

        threads = [threading.Thread(target=start, args=(variant,), daemon=True) for variant in self.variants]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise FleetFailed(failures[0])

    def choose(self, target: str | None) -> Variant:
        """The variant called `target`, without one any by its weight. Raises NoSuchVariant."""
        if target is not None:
            found = [variant for variant in self.variants if variant.name == target]
            if not found:
                names = ", ".join(variant.name for variant in self.variants)
                raise NoSuchVariant(f"Variant {target} not found; the endpoint's variants: {names}.")
            return found[0]
        weights = [variant.weight for variant in self.variants]
        if sum(weights) <= 0:
            raise NoSuchVariant("No variant of the endpoint has a weight above 0; name one as TargetVariant.")
        return random.choices(self.variants, weights)[0]  # noqa: S311 - no secret

    def retire(self, patience: float) -> None:
        """Let the requests at work end, each within so many seconds, then end the containers."""
        for variant in self.variants:
            variant.drain(patience)
        self.close()

    def close(self) -> None:
        for variant in self.variants:
            variant.close()


class Endpoint:
    """The fleets behind one endpoint: one, or two while an update moves the traffic to a new one."""

    def __init__(self, name: str, fleet: Fleet) -> None:
        self.name = name
        # guards the fleets, so that none is retired between being chosen and being entered
        self._lock = threading.Lock()
        self._fleet = fleet
        self._new: tuple[Fleet, float] | None = None

    @property
    def fleets(self) -> list[Fleet]:
        """The one that is there, and the new one if an update is under way."""
        with self._lock:
            return [self._fleet, *([self._new[0]] if self._new else [])]

    def enter(self, target: str | None) -> tuple[Fleet, Variant]:
        """Choose where a request goes, and count it there; `leave` of the variant follows.

        Raises NoSuchVariant, Throttled.
        """
        with self._lock:
            fleet = self._fleet
            if self._new is not None and random.random() < self._new[1]:  # noqa: S311 - no secret
                fleet = self._new[0]
            variant = fleet.choose(target)
            variant.enter()
            return fleet, variant

    def share(self, new: Fleet, share: float) -> None:
        """Send this share of the requests, 0 to 1, to a new fleet."""
        with self._lock:
            self._new = (new, share)

    def settle(self, fleet: Fleet) -> None:
        """Send everything to one of the fleets; the other one gets nothing any more."""
        with self._lock:
            self._fleet, self._new = fleet, None
