"""How well the rows of each query are ordered: NDCG by position, its distribution, relevance by place."""

from __future__ import annotations

import numpy as np

from analyzer.reports.html import counted, metric_number
from evaluation.metrics.ranking import Ranks
from evaluation.metrics.ratios import divide
from evaluation.outcome import QUERIES, Outcome
from evaluation.report.charts import ACCENT, BASE, MUTED, Axis, Chart, chart_card

MAX_POSITION = 20
BINS = 20


def ranking_cards(outcome: Outcome) -> list[str]:
    assert outcome.groups is not None, QUERIES
    _, queries, sizes = np.unique(outcome.groups, return_inverse=True, return_counts=True)
    positions = np.arange(1, min(MAX_POSITION, int(sizes.max())) + 1)
    chance = np.random.default_rng(0).permutation(len(queries)).astype(np.float64)
    return [
        ndcg_card(outcome.truth, outcome.scores, chance, queries, positions),
        query_card(ndcg(outcome.truth, outcome.scores, queries, None)),
        relevance_card(outcome.truth, outcome.scores, queries, positions),
    ]


def ndcg(relevances: np.ndarray, scores: np.ndarray, queries: np.ndarray, cutoff: int | None) -> np.ndarray:
    """Return the NDCG of each query, 1 for those without relevant rows as in LightGBM."""
    gains = np.exp2(relevances) - 1
    reached, possible = (Ranks(queries, values).discounted(gains, cutoff) for values in (scores, relevances))
    return np.asarray(divide(reached, possible, 1.0))


def ndcg_card(
    relevances: np.ndarray, scores: np.ndarray, chance: np.ndarray, queries: np.ndarray, positions: np.ndarray
) -> str:
    lines = {
        "model": [ndcg(relevances, scores, queries, position).mean() for position in positions.tolist()],
        "random order": [ndcg(relevances, chance, queries, position).mean() for position in positions.tolist()],
    }
    y = Axis.numbers([*lines["model"], *lines["random order"], 1], "NDCG")
    chart = Chart(Axis.numbers(positions, "Position"), y)
    chart.line(positions, lines["random order"], MUTED, dashed=True)
    chart.line(positions, lines["model"])
    chart.dots(positions, lines["model"], size=6)
    legend = [(ACCENT, "model"), (MUTED, "random order")]
    return chart_card("NDCG by position", chart, "Of the rows at the first positions of a query", legend)


def query_card(of_query: np.ndarray) -> str:
    counts, edges = np.histogram(of_query, BINS, (0, 1))
    shares = counts / len(of_query)
    y = Axis.numbers([0, shares.max()], "Share of the queries")
    chart = Chart(Axis.shares("NDCG of the query"), Axis(0, y.high, y.ticks, y.label), grid="y")
    for share, left, right in zip(shares.tolist(), edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        chart.box((left, right), (0, share), BASE, 0.6)
    chart.rule(x=float(of_query.mean()), color=ACCENT, text=f"mean {metric_number(float(of_query.mean()))}")
    worst = metric_number(float(np.quantile(of_query, 0.1)))
    note = f"{counted(len(of_query), 'query').replace('querys', 'queries')}; a tenth of them are below {worst}"
    return chart_card("NDCG by query", chart, note)


def relevance_card(relevances: np.ndarray, scores: np.ndarray, queries: np.ndarray, positions: np.ndarray) -> str:
    """Draw the mean relevance at each position, as ordered by the model and as it could be."""
    lines = {name: by_position(relevances, values, queries, positions) for name, values in
             (("model", scores), ("ideal order", relevances))}  # fmt: skip
    y = Axis.numbers([*lines["model"], *lines["ideal order"], 0], "Mean relevance")
    chart = Chart(Axis.numbers(positions, "Position"), y)
    chart.line(positions, lines["ideal order"], MUTED, dashed=True)
    chart.line(positions, lines["model"])
    chart.dots(positions, lines["model"], size=6)
    legend = [(ACCENT, "model"), (MUTED, "ideal order")]
    return chart_card("Relevance by position", chart, "How relevant the rows are that come first", legend)


def by_position(relevances: np.ndarray, scores: np.ndarray, queries: np.ndarray, positions: np.ndarray) -> np.ndarray:
    order = np.lexsort((-scores, queries))
    starts = np.append(0, np.flatnonzero(np.diff(queries[order])) + 1)
    places = np.arange(len(queries)) - starts[queries[order]] + 1
    sums, counts = (np.bincount(places, weights)[positions] for weights in (relevances[order], None))
    return np.asarray(sums / counts)
