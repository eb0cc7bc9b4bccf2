"""Sends traffic to an endpoint at a constant rate and keeps the inference ids, for uploading labels later."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from deployment.drift import Drift, apply_drift
from deployment.invocations import InvocationResult, RequestReport, as_json, invoke, runtime_client
from deployment.load_test import LoadResult, summarize
from deployment.records import Record, Records
from project.target import Target

_CLIENTS = 16


def send_traffic(
    target: Target,
    endpoint: str,
    records: Records,
    drifts: Sequence[Drift],
    *,
    requests: int,
    rate: float,
    seed: int,
    labels_file: Path,
    custom_attributes: str = "",
    report: RequestReport,
) -> LoadResult:
    """Send records, one per request, in random order; repeat them if there are fewer records than requests.

    Args:
        target: Where the endpoint runs.
        endpoint: Name of the endpoint.
        records: The records to send.
        drifts: Changes to apply to each record.
        requests: Number of requests.
        rate: Requests per second; an endpoint that can't keep up receives fewer.
        seed: Seed of the order and of the changes that affect a random share of the records.
        labels_file: Written as CSV of `id,label`: the inference id of each successful request and the value of the
            record's target column (empty if there is none).
        custom_attributes: Sent with each request, and captured with it.
        report: Called with the numbers of completed and of failed requests whenever they grow.
    """
    client = runtime_client(target, _CLIENTS)
    results: list[InvocationResult] = []
    failed = 0
    start = time.perf_counter()
    with labels_file.open("w", newline="", encoding="utf-8") as file, ThreadPoolExecutor(_CLIENTS) as pool:
        labels = csv.writer(file, lineterminator="\n")
        labels.writerow(["id", "label"])
        pending: dict[Future[InvocationResult], str] = {}

        def collect(finished: set[Future[InvocationResult]]) -> None:
            nonlocal failed
            for future in finished:
                label, result = pending.pop(future), future.result()
                results.append(result)
                failed += not result.ok
                if result.ok:
                    labels.writerow([result.inference_id, label])
            # after an interruption, the file has the ids of all completed requests
            file.flush()
            report(len(results), failed)

        for number, (record, label) in enumerate(_draw(records, drifts, requests, seed)):
            if (remaining := start + number / rate - time.perf_counter()) > 0:
                time.sleep(remaining)
            if len(pending) >= _CLIENTS:
                collect(wait(pending, return_when=FIRST_COMPLETED).done)
            body = as_json([record])
            pending[pool.submit(invoke, client, endpoint, body, custom_attributes=custom_attributes)] = label
        while pending:
            collect(wait(pending, return_when=FIRST_COMPLETED).done)
    return summarize(results, _CLIENTS, time.perf_counter() - start)


def _draw(records: Records, drifts: Sequence[Drift], requests: int, seed: int) -> Iterator[tuple[Record, str]]:
    """Yield records with their labels: all of them in random order before any is repeated."""
    # not used for anything secret
    chance = random.Random(seed)  # noqa: S311
    order: list[int] = []
    for _ in range(requests):
        if not order:
            order = chance.sample(range(len(records.rows)), len(records.rows))
        number = order.pop()
        record = apply_drift(drifts, records.rows[number], chance)
        yield record, records.labels[number] if records.labels else ""
