"""The checks of an endpoint behind `python -m deployment test`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from deployment.capture_reader import CapturedRequest, wait_for_captures
from deployment.endpoints import IN_SERVICE, CaptureSettings, Endpoint
from deployment.invocations import (
    CSV,
    JSON,
    TEST_REQUEST,
    InvocationResult,
    RequestReport,
    as_json,
    invoke,
    runtime_client,
)
from deployment.load_test import LoadResult, run_load_test
from deployment.records import Record, Records
from deployment.samples import TOLERANCE, EvaluationSamples, difference
from project.target import Target

_BATCH_SIZE = 20
# SageMaker writes captures within a few minutes
_CAPTURE_TIMEOUT = 300


@dataclass(frozen=True)
class Check:
    """The result of one check; `detail` describes what was observed."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class SuccessfulRequest:
    """A request that was answered, to be looked up among the captured requests."""

    body: bytes
    result: InvocationResult


class EndpointTest:
    """Runs the checks in order and keeps their results for the report."""

    def __init__(
        self,
        target: Target,
        endpoint: Endpoint,
        records: Records,
        requests: int,
        concurrency: int,
        capture: CaptureSettings | None,
        samples: Sequence[EvaluationSamples] = (),
        report: RequestReport = lambda completed, failed: None,
    ) -> None:
        """Prepare the checks.

        Args:
            target: Where the endpoint runs.
            endpoint: The endpoint to test.
            records: The records to send.
            requests: Number of requests of the load test.
            concurrency: Number of concurrent clients of the load test.
            capture: The endpoint's capture settings; None to skip the check of captured requests.
            samples: Of each variant, records of its model's evaluation.
            report: Called with the numbers of completed and of failed requests of the load test.
        """
        self.target = target
        self.endpoint = endpoint
        self.records = records
        self.requests = requests
        self.concurrency = concurrency
        self.capture = capture
        self.samples = samples
        self.report_progress = report
        self.started = datetime.now(UTC)
        self.checks: list[Check] = []
        self.load: LoadResult | None = None
        self._client = runtime_client(target, concurrency)
        self._successful: list[SuccessfulRequest] = []

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def run(self) -> Iterator[Check]:
        """Yield each check as it completes; only the first one if the endpoint is not in service."""
        for check in self._run():
            self.checks.append(check)
            yield check

    def report(self) -> dict[str, Any]:
        """Return the results of `run` as a JSON document."""
        return {
            "endpoint": self.endpoint.name,
            "config": self.endpoint.config,
            "began": self.started.isoformat(timespec="seconds"),
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "load": asdict(self.load) if self.load else None,
        }

    def _run(self) -> Iterator[Check]:
        status = self.endpoint.status
        yield Check("in service", status == IN_SERVICE, status)
        if status != IN_SERVICE:
            return
        yield self._check_one_record()
        yield self._check_batch()
        for samples in self.samples:
            yield self._check_samples(samples)
        for name, body, content_type in invalid_payloads(self.records.rows[0]):
            yield self._check_refused(name, body, content_type)
        yield self._check_load()
        if self.capture:
            yield self._check_captures(self.capture)

    def _check_one_record(self) -> Check:
        result = self._send(as_json(self.records.rows[:1]))
        if not result.ok:
            return Check("one record", False, f"HTTP {result.status}: {result.message}")
        predictions = _predictions(result)
        passed = len(predictions) == 1
        return Check("one record", passed, json.dumps(predictions[0]) if passed else result.body.decode()[:200])

    def _check_batch(self) -> Check:
        rows = list(itertools.islice(itertools.cycle(self.records.rows), _BATCH_SIZE))
        result = self._send(as_json(rows))
        if not result.ok:
            return Check("batch", False, f"HTTP {result.status}: {result.message}")
        count = len(_predictions(result))
        return Check("batch", count == _BATCH_SIZE, f"{count} predictions for {_BATCH_SIZE} records")

    def _check_samples(self, samples: EvaluationSamples) -> Check:
        several = len(self.samples) > 1
        name = f"predictions of {samples.variant}" if several else "predictions of the evaluation"
        if samples.reason:
            return Check(name, True, f"not compared: {samples.reason}")
        result = self._send(as_json(samples.records), samples.variant if several else "")
        if not result.ok:
            return Check(name, False, f"HTTP {result.status}: {result.message}")
        found, number = _predictions(result), len(samples.records)
        if len(found) != number:
            return Check(name, False, f"{len(found)} predictions for {number} records")
        differences = {
            row: text
            for row, pair in enumerate(zip(samples.predictions, found, strict=True), start=1)
            if (text := difference(*pair))
        }
        if differences:
            row, text = next(iter(differences.items()))
            detail = (
                f"{len(differences)} of {number} records of version {samples.version} differ; in record {row}, {text}"
            )
            return Check(name, False, detail)
        return Check(name, True, f"{number} records of version {samples.version}: equal to {TOLERANCE:g}")

    def _check_refused(self, name: str, body: bytes, content_type: str) -> Check:
        result = self._invoke(body, content_type)
        refused = 400 <= result.status < 500
        message = result.message or "a prediction, expected an error"
        return Check(f"{name} is refused", refused, f"HTTP {result.status}: {message}")

    def _check_load(self) -> Check:
        bodies = [as_json([row]) for row in self.records.rows]
        self.load, results = run_load_test(
            lambda number: self._invoke(bodies[number % len(bodies)]),
            self.requests,
            self.concurrency,
            self.report_progress,
        )
        self._successful += [
            SuccessfulRequest(bodies[number % len(bodies)], result)
            for number, result in enumerate(results)
            if result.ok
        ]
        errors = "; ".join(f"{count} x {message}" for message, count in self.load.errors.items())
        detail = f"{self.load.failed} of {self.requests} failed" + (f": {errors}" if errors else "")
        return Check("load", self.load.failed == 0, detail)

    def _check_captures(self, capture: CaptureSettings) -> Check:
        sent = {request.result.inference_id: request for request in self._successful}
        # the size of a sample is random; one captured request shows that capture works
        required = len(sent) if capture.percentage == 100 else 1

        def enough(captured: dict[str, CapturedRequest]) -> bool:
            return len(sent.keys() & captured.keys()) >= required

        captured = wait_for_captures(
            self.target, f"{capture.uri}/{self.endpoint.name}", self.started, enough, _CAPTURE_TIMEOUT
        )
        matching = sent.keys() & captured.keys()
        different = [
            inference_id
            for inference_id in matching
            if captured[inference_id].input != sent[inference_id].body
            or captured[inference_id].output != sent[inference_id].result.body
        ]
        detail = f"{len(matching)} of {len(sent)} requests captured at {capture.percentage} %"
        if different:
            detail += f"; {len(different)} differ from what was sent, such as {different[0]}"
        return Check("captures", len(matching) >= required and not different, detail)

    def _send(self, body: bytes, variant: str = "") -> InvocationResult:
        result = self._invoke(body, variant=variant)
        if result.ok:
            self._successful.append(SuccessfulRequest(body, result))
        return result

    def _invoke(self, body: bytes, content_type: str = JSON, variant: str = "") -> InvocationResult:
        return invoke(
            self._client, self.endpoint.name, body, content_type, custom_attributes=TEST_REQUEST, variant=variant
        )


def invalid_payloads(record: Record) -> list[tuple[str, bytes, str]]:
    """Return payloads that must get a 4xx response: name, body and content type of each."""
    nested = {name: {"nested": True} for name in record}
    return [
        ("broken JSON", b'{"a": ', JSON),
        ("a nested object as a value", as_json([nested]), JSON),
        ("a row with too many values", (",".join(["1"] * (len(record) + 1)) + "\n").encode(), CSV),
        ("an empty body", b"", CSV),
        ("an unknown content type", b"<a/>", "application/xml"),
    ]


def _predictions(result: InvocationResult) -> Sequence[Any]:
    try:
        predictions = json.loads(result.body)["predictions"]
    except (ValueError, KeyError, TypeError):
        return ()
    return predictions if isinstance(predictions, list) else ()
