"""Whether an endpoint does what it should: the checks behind `python -m deployment test`."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from deployment.capture_reader import CapturedRequest, wait_for_captures
from deployment.endpoints import IN_SERVICE, CaptureSettings, Endpoint
from deployment.invocations import CSV, JSON, Answer, as_json, invoke, runtime_client
from deployment.load_test import LoadResult, run_load_test
from deployment.records import Record, Records
from project.target import Target

_BATCH = 20
_SECONDS_TO_CAPTURE = 300  # SageMaker writes captures within a few minutes


@dataclass(frozen=True)
class Check:
    """detail: what was seen, in words."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Sent:
    """A request that was answered, to be found among the captures."""

    body: bytes
    answer: Answer


class EndpointTest:
    """Runs the checks one after the other; what they have seen is kept for the report."""

    def __init__(
        self,
        target: Target,
        endpoint: Endpoint,
        records: Records,
        requests: int,
        concurrency: int,
        capture: CaptureSettings | None,
    ) -> None:
        """capture: of the endpoint; None where it captures nothing."""
        self.target = target
        self.endpoint = endpoint
        self.records = records
        self.requests = requests
        self.concurrency = concurrency
        self.capture = capture
        self.began = datetime.now(UTC)
        self.checks: list[Check] = []
        self.load: LoadResult | None = None
        self._client = runtime_client(target, concurrency)
        self._sent: list[Sent] = []

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    def run(self) -> Iterator[Check]:
        """Yield each check when it is done; none but the first where the endpoint is not in service."""
        for check in self._run():
            self.checks.append(check)
            yield check

    def report(self) -> dict[str, Any]:
        """What `run` has found, for machines."""
        return {
            "endpoint": self.endpoint.name,
            "config": self.endpoint.config,
            "began": self.began.isoformat(timespec="seconds"),
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "load": asdict(self.load) if self.load else None,
        }

    def _run(self) -> Iterator[Check]:
        status = self.endpoint.status
        yield Check("in service", status == IN_SERVICE, status)
        if status != IN_SERVICE:
            return
        yield self._one_record()
        yield self._batch()
        for name, body, content_type in malformed(self.records.rows[0]):
            yield self._refused(name, body, content_type)
        yield self._load_test()
        if self.capture:
            yield self._captured(self.capture)

    def _one_record(self) -> Check:
        answer = self._send(as_json(self.records.rows[:1]))
        if not answer.ok:
            return Check("one record", False, f"HTTP {answer.status}: {answer.message}")
        predictions = _predictions(answer)
        passed = len(predictions) == 1
        return Check("one record", passed, json.dumps(predictions[0]) if passed else answer.body.decode()[:200])

    def _batch(self) -> Check:
        rows = list(itertools.islice(itertools.cycle(self.records.rows), _BATCH))
        answer = self._send(as_json(rows))
        if not answer.ok:
            return Check("batch", False, f"HTTP {answer.status}: {answer.message}")
        found = len(_predictions(answer))
        return Check("batch", found == _BATCH, f"{found} predictions for {_BATCH} records")

    def _refused(self, name: str, body: bytes, content_type: str) -> Check:
        answer = invoke(self._client, self.endpoint.name, body, content_type)
        refused = 400 <= answer.status < 500
        said = answer.message or "an answer, where an error was expected"
        return Check(f"{name} is refused", refused, f"HTTP {answer.status}: {said}")

    def _load_test(self) -> Check:
        bodies = [as_json([row]) for row in self.records.rows]
        self.load, answers = run_load_test(
            lambda number: invoke(self._client, self.endpoint.name, bodies[number % len(bodies)]),
            self.requests,
            self.concurrency,
        )
        self._sent += [Sent(bodies[number % len(bodies)], answer) for number, answer in enumerate(answers) if answer.ok]
        errors = "; ".join(f"{count} x {message}" for message, count in self.load.errors.items())
        detail = f"{self.load.failed} of {self.requests} failed" + (f": {errors}" if errors else "")
        return Check("load", self.load.failed == 0, detail)

    def _captured(self, capture: CaptureSettings) -> Check:
        sent = {one.answer.inference_id: one for one in self._sent}
        # of a sample nobody knows how many there will be; one shows that capture works
        wanted = len(sent) if capture.percentage == 100 else 1

        def enough(found: dict[str, CapturedRequest]) -> bool:
            return len(sent.keys() & found.keys()) >= wanted

        found = wait_for_captures(
            self.target, f"{capture.uri}/{self.endpoint.name}", self.began, enough, _SECONDS_TO_CAPTURE
        )
        own = {inference_id: found[inference_id] for inference_id in sent.keys() & found.keys()}
        other = [
            inference_id
            for inference_id, one in own.items()
            if one.input != sent[inference_id].body or one.output != sent[inference_id].answer.body
        ]
        detail = f"{len(own)} of {len(sent)} requests captured at {capture.percentage} %"
        if other:
            detail += f"; {len(other)} differ from what was sent, such as {other[0]}"
        return Check("captures", len(own) >= wanted and not other, detail)

    def _send(self, body: bytes) -> Answer:
        answer = invoke(self._client, self.endpoint.name, body)
        if answer.ok:
            self._sent.append(Sent(body, answer))
        return answer


def malformed(record: Record) -> list[tuple[str, bytes, str]]:
    """Payloads that a client should be told off for: a name, the body and its content type."""
    wrong = {name: {"nested": True} for name in record}
    return [
        ("broken JSON", b'{"a": ', JSON),
        ("a value that is no value", as_json([wrong]), JSON),
        ("a row too long", (",".join(["1"] * (len(record) + 1)) + "\n").encode(), CSV),
        ("nothing at all", b"", CSV),
        ("an unknown content type", b"<a/>", "application/xml"),
    ]


def _predictions(answer: Answer) -> Sequence[Any]:
    try:
        predictions = json.loads(answer.body)["predictions"]
    except (ValueError, KeyError, TypeError):
        return ()
    return predictions if isinstance(predictions, list) else ()
