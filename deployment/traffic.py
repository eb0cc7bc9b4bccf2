"""Traffic to an endpoint at an even pace, with the inference ids kept so that labels can follow."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from deployment.drift import Drift, apply_drift
from deployment.invocations import Answer, as_json, invoke, runtime_client
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
    report: Callable[[int], None],
) -> LoadResult:
    """Send records, one a request, in random order and over again where there are too few of them.

    rate: requests a second; an endpoint that can't keep up is sent fewer.
    labels_file: gets a CSV of `id,label`: the inference id of each answered request, and what the record's target
        column holds (empty where there is none).
    report: gets the number of requests done, whenever it grows.
    """
    client = runtime_client(target, _CLIENTS)
    answers: list[Answer] = []
    begin = time.perf_counter()
    with labels_file.open("w", newline="", encoding="utf-8") as file, ThreadPoolExecutor(_CLIENTS) as pool:
        labels = csv.writer(file, lineterminator="\n")
        labels.writerow(["id", "label"])
        under_way: dict[Future[Answer], str] = {}

        def collect(finished: set[Future[Answer]]) -> None:
            for future in finished:
                label, answer = under_way.pop(future), future.result()
                answers.append(answer)
                if answer.ok:
                    labels.writerow([answer.inference_id, label])
            file.flush()  # whoever interrupts has the ids of what was sent
            report(len(answers))

        for number, (record, label) in enumerate(_draw(records, drifts, requests, seed)):
            if (early := begin + number / rate - time.perf_counter()) > 0:
                time.sleep(early)
            if len(under_way) >= _CLIENTS:
                collect(wait(under_way, return_when=FIRST_COMPLETED).done)
            under_way[pool.submit(invoke, client, endpoint, as_json([record]))] = label
        while under_way:
            collect(wait(under_way, return_when=FIRST_COMPLETED).done)
    return summarize(answers, _CLIENTS, time.perf_counter() - begin)


def _draw(records: Records, drifts: Sequence[Drift], requests: int, seed: int) -> Iterator[tuple[Record, str]]:
    """Records with their labels: each once in random order before any comes again."""
    chance = random.Random(seed)  # noqa: S311, no secret is made of it
    order: list[int] = []
    for _ in range(requests):
        if not order:
            order = chance.sample(range(len(records.rows)), len(records.rows))
        number = order.pop()
        record = apply_drift(drifts, records.rows[number], chance)
        yield record, records.labels[number] if records.labels else ""
