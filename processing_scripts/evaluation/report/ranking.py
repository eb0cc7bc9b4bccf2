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
    gains = np.exp2(outcome.truth) - 1
    # sorted once, since the charts need NDCG at many positions
    model, ideal, random = (Ranks(queries, values) for values in (outcome.scores, outcome.truth, chance))

    def ndcg(ranks: Ranks, cutoff: int | None) -> np.ndarray:
        """Return the NDCG of each query, 1 for those without relevant rows as in LightGBM."""
        return np.asarray(divide(ranks.discounted(gains, cutoff), ideal.discounted(gains, cutoff), 1.0))

    return [
        ndcg_card(positions, *([ndcg(ranks, at).mean() for at in positions.tolist()] for ranks in (model, random))),
        query_card(ndcg(model, None)),
        relevance_card(
            model.means_by_rank(outcome.truth, positions), ideal.means_by_rank(outcome.truth, positions), positions
        ),
    ]


def ndcg_card(positions: np.ndarray, of_model: list[float], of_chance: list[float]) -> str:
    chart = Chart(Axis.numbers(positions, "Position"), Axis.numbers([*of_model, *of_chance, 1], "NDCG"))
    chart.line(positions, of_chance, MUTED, dashed=True)
    chart.line(positions, of_model)
    chart.dots(positions, of_model, size=6)
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


def relevance_card(of_model: np.ndarray, of_ideal: np.ndarray, positions: np.ndarray) -> str:
    """Draw the mean relevance at each position, as ordered by the model and as it could be."""
    chart = Chart(Axis.numbers(positions, "Position"), Axis.numbers([*of_model, *of_ideal, 0], "Mean relevance"))
    chart.line(positions, of_ideal, MUTED, dashed=True)
    chart.line(positions, of_model)
    chart.dots(positions, of_model, size=6)
    legend = [(ACCENT, "model"), (MUTED, "ideal order")]
    return chart_card("Relevance by position", chart, "How relevant the rows are that come first", legend)
