"""An endpoint in service: routes each request to one of its fleets and to a variant in it."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from local_sagemaker.endpoints.data_capture import DataCaptureConfig
from local_sagemaker.endpoints.explainer import Explainer, ExplainerFailed
from local_sagemaker.endpoints.variant import Unavailable, Variant


class NoSuchVariant(Exception):
    """The endpoint has no variant that could serve the request; the message says why."""


class FleetFailed(Exception):
    """A fleet failed to start; the message is the endpoint's FailureReason."""


@dataclass(frozen=True, eq=False)
class Fleet:
    """The variants of one endpoint configuration.

    Attributes:
        config_name: The endpoint configuration's name.
        variants: Its variants.
        data_capture: None if capture is disabled.
        explainer: None if predictions are not explained.
    """

    config_name: str
    variants: Sequence[Variant]
    data_capture: DataCaptureConfig | None
    explainer: Explainer | None = None

    def start(self) -> None:
        """Start the explainer and all variants in parallel.

        Raises:
            FleetFailed: A variant did not start; with SageMaker's message, followed by the container's. Or the
                explainer did not.
        """
        failures: list[str] = []

        def start(variant: Variant) -> None:
            try:
                variant.start()
            except Unavailable as error:
                failures.append(
                    f"The primary container for production variant {variant.name} did not pass the ping health check. "
                    f"Please check CloudWatch logs for this endpoint. {error}"
                )

        def start_explainer() -> None:
            try:
                if self.explainer is not None:
                    self.explainer.start()
            except ExplainerFailed as error:
                failures.append(f"The SageMaker Clarify explainer failed to start: {error}")

        threads = [threading.Thread(target=start, args=(variant,), daemon=True) for variant in self.variants]
        threads.append(threading.Thread(target=start_explainer, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise FleetFailed(failures[0])

    def choose(self, target: str | None) -> Variant:
        """Return the variant named `target`; if that is None, a random one by weight.

        Raises:
            NoSuchVariant: No variant has that name, or no variant has a weight.
        """
        if target is not None:
            found = [variant for variant in self.variants if variant.name == target]
            if not found:
                names = ", ".join(variant.name for variant in self.variants)
                raise NoSuchVariant(f"Variant {target} not found; the endpoint's variants: {names}.")
            return found[0]
        weights = [variant.weight for variant in self.variants]
        if sum(weights) <= 0:
            raise NoSuchVariant("All variants of the endpoint have weight 0; name one as TargetVariant.")
        return random.choices(self.variants, weights)[0]  # noqa: S311 - not for cryptography

    def drain_and_close(self, timeout: float) -> None:
        """Wait for in-flight requests, at most `timeout` seconds for each variant, then stop the containers."""
        for variant in self.variants:
            variant.drain(timeout)
        self.close()

    def close(self) -> None:
        """Stop the containers and the explainer immediately."""
        for variant in self.variants:
            variant.close()
        if self.explainer is not None:
            self.explainer.close()


class Endpoint:
    """The fleets of an endpoint: one, or two while an update shifts traffic to a new one."""

    def __init__(self, name: str, fleet: Fleet) -> None:
        self.name = name
        # guards the fleets, so that none is drained between being chosen for a request and counting it
        self._lock = threading.Lock()
        self._fleet = fleet
        # and its share of the traffic
        self._new: tuple[Fleet, float] | None = None

    @property
    def fleets(self) -> list[Fleet]:
        """The current fleet and, during an update, the new one."""
        with self._lock:
            return [self._fleet, *([self._new[0]] if self._new else [])]

    def begin_request(self, target: str | None) -> tuple[Fleet, Variant]:
        """Choose the fleet and variant for a request and count it as in flight; call `Variant.end_request` afterwards.

        Args:
            target: The TargetVariant; None to choose by weight.

        Raises:
            NoSuchVariant: No variant can serve the request.
            Throttled: The variant is at its MaxConcurrency.
        """
        with self._lock:
            fleet = self._fleet
            if self._new is not None and random.random() < self._new[1]:  # noqa: S311 - not for cryptography
                fleet = self._new[0]
            variant = fleet.choose(target)
            variant.begin_request()
            return fleet, variant

    def set_traffic_share(self, new: Fleet, share: float) -> None:
        """Route a share of the requests, from 0 to 1, to a new fleet."""
        with self._lock:
            self._new = (new, share)

    def use_only(self, fleet: Fleet) -> None:
        """Route all requests to one of the fleets."""
        with self._lock:
            self._fleet, self._new = fleet, None
