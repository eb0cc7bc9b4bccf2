"""Partial profiles: written, read and merged to the profile of the whole dataset."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyzer import QualityError, container
from analyzer.analyzer import ProcessingCluster
from analyzer.datasets.malformed_records import MalformedRecords, Skipped, SkippedRecord
from analyzer.files.partial_profile import merge_partials, to_json, write_partial
from analyzer.profile.profile import Profile
from tests.analyzer.same_statistics import assert_same

Write = Callable[[str, str | bytes], Path]

CSV = '{"csv": {"header": true}}'
PROFILE = '{"profile": {}}'
ROW = st.tuples(
    st.one_of(st.none(), st.floats(-1e9, 1e9)),
    st.one_of(st.none(), st.integers(-5, 5)),
    st.sampled_from(["a", "ü", None]),
)


def profile_of(rows: list[tuple[Any, Any, Any]]) -> Profile:
    columns = {
        "real": pa.array([row[0] for row in rows], pa.float64()),
        "whole": pa.array([row[1] for row in rows], pa.int64()),
        "text": pa.array([row[2] for row in rows], pa.string()),
    }
    return Profile.from_batches([pa.RecordBatch.from_pydict(columns)])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(rows=st.lists(ROW, min_size=1, max_size=40), data=st.data())
def test_partial_profiles_of_any_split_merge_to_the_whole(
    rows: list[tuple[Any, Any, Any]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("profiles")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    for host, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
        write_partial(folder, f"algo-{host}", profile_of(rows[start:end]), Skipped())
    merged, whole = merge_partials(folder, MalformedRecords()).statistics(), profile_of(rows).statistics()
    assert_same(merged, whole)
    for one, other in zip(merged.features, whole.features, strict=True):
        assert one.numbers is None or one.numbers.buckets() == other.numbers.buckets()


def test_sketched_columns_merge_within_the_sketches_error(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    values = generator.lognormal(size=200_000)
    texts = [f"id-{number}" for number in range(30_000)]
    for host in range(4):
        part = Profile.from_batches([pa.RecordBatch.from_pydict({"x": values[host::4]})])
        part.merge(Profile.from_batches([pa.RecordBatch.from_pydict({"id": texts[host::4] + ["often"] * 5_000})]))
        write_partial(tmp_path, f"algo-{host}", part, Skipped())
    whole = merge_partials(tmp_path, MalformedRecords()).statistics()
    numbers, strings = whole.features[0].numbers, whole.features[1].strings
    assert numbers is not None and strings is not None
    assert (numbers.min, numbers.max) == (values.min(), values.max())
    assert numbers.mean == pytest.approx(values.mean(), rel=1e-12)
    sketched, ranks = numbers.sketch.cumulative()
    true_ranks = np.searchsorted(np.sort(values), sketched, side="right")
    assert ranks[-1] == len(values)
    assert np.abs(ranks - true_ranks).max() / len(values) < 0.0028
    assert strings.distinct_count == pytest.approx(30_001, rel=0.03)
    assert strings.counts["often"] == pytest.approx(20_000, rel=0.02)


def test_a_column_with_numbers_in_one_part_and_text_in_another_becomes_text_with_correct_counts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for host, values in {"a": [7, 7, 8], "b": ["n/a", "7"]}.items():
        write_partial(tmp_path, host, Profile.from_batches([pa.RecordBatch.from_pydict({"x": values})]), Skipped())
    feature = merge_partials(tmp_path, MalformedRecords()).statistics().features[0]
    assert feature.strings is not None
    assert (feature.inferred_type, feature.strings.counts) == ("String", {"7": 3, "8": 1, "n/a": 1})
    assert (feature.present, feature.integral) == (5, 4)
    assert "column x has numbers in one part and text in another" in caplog.text


def test_infinite_sums_and_columns_without_values_survive(tmp_path: Path) -> None:
    part = Profile.from_batches([pa.RecordBatch.from_pydict({"x": [1.7e308, 1.7e308], "e": pa.nulls(2)})])
    write_partial(tmp_path, "a", part, Skipped())
    numbers = merge_partials(tmp_path, MalformedRecords()).statistics().features[0].numbers
    assert numbers is not None and (numbers.sum, numbers.max) == (float("inf"), 1.7e308)


def test_skipped_records_of_all_instances_add_up(tmp_path: Path) -> None:
    sample = SkippedRecord("f.csv", 3, "has 1 fields", "x")
    for host in "ab":
        write_partial(tmp_path, host, profile_of([(1.0, 1, "a")]), Skipped(2, 100, (sample,)))
    malformed = MalformedRecords(limit=0)
    merge_partials(tmp_path, malformed)
    assert (malformed.count, malformed.samples) == (4, [sample, sample])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x", "not valid JSON"),
        ("{}", "is not a partial profile of this analyzer .'version'"),
        ('{"version": 9}', "version 9 instead of 1"),
        (
            json.dumps(to_json(profile_of([(1.0, 1, "a")]), Skipped())).replace('"sketch": "', '"sketch": "AAAA'),
            "is not a partial profile",
        ),
    ],
)
def test_a_file_that_is_not_a_profile_is_rejected_by_name(content: str, message: str, write: Write) -> None:
    with pytest.raises(QualityError, match=message) as caught:
        merge_partials(write("profile-a.json", content), MalformedRecords())
    assert "profile-a.json" in str(caught.value)


def environment(source: Path, output: Path, **more: str | Path) -> dict[str, str]:
    variables = {"dataset_source": source, "dataset_format": CSV, "output_path": output, **more}
    return {name: str(value) for name, value in variables.items()}


def test_sharded_instances_and_a_merge_check_like_one_instance(write: Write, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)

    def part(name: str, shift: float) -> Path:
        rows = "".join(f"{value:.4f},{'ab'[int(value > 0)]}\n" for value in generator.normal(shift, 1, 1_000))
        return write(name, "x,kind\n" + rows)

    container.run(environment(part("train.csv", 0), tmp_path / "baseline"))
    baseline = {
        "baseline_statistics": tmp_path / "baseline" / "statistics.json",
        "baseline_constraints": tmp_path / "baseline" / "constraints.json",
    }
    hosts = ("algo-1", "algo-2", "algo-3")
    for host in hosts[:2]:
        part(f"{host}/part.csv", 0.8)
    (tmp_path / "algo-3").mkdir()
    for host in hosts:
        message, violations = container.run(
            environment(tmp_path / host, tmp_path / "profiles"), ProcessingCluster(host, hosts, sharded=True)
        )
        assert (message.startswith(f"Completed: Profiled {0 if host == 'algo-3' else 1000} records"), violations) == (
            True,
            0,
        )
    merging = environment(tmp_path / "profiles", tmp_path / "merged", **baseline) | {"dataset_format": PROFILE}
    merged_message, merged_violations = container.run(merging)
    for host in hosts[:2]:
        (tmp_path / host / "part.csv").rename(write(f"all/{host}.csv", ""))
    message, violations = container.run(environment(tmp_path / "all", tmp_path / "one", **baseline))
    assert (merged_message, merged_violations) == (message, violations)
    assert violations == 2
    ours, theirs = (
        json.loads((tmp_path / folder / "constraint_violations.json").read_text()) for folder in ("merged", "one")
    )
    assert ours == theirs


def test_only_the_first_instance_analyzes_a_fully_replicated_dataset(write: Write, tmp_path: Path) -> None:
    variables = environment(write("data.csv", "x\n1\n"), tmp_path / "output")
    message, _ = container.run(variables, ProcessingCluster("algo-2", ("algo-1", "algo-2")))
    assert message == "Completed: algo-1 analyzes the dataset, which is fully replicated to all instances."
    assert not (tmp_path / "output").exists()


def test_model_quality_on_shards_is_rejected(write: Write, tmp_path: Path) -> None:
    variables = environment(
        write("data.csv", "x\n1\n"), tmp_path, analysis_type="MODEL_QUALITY", problem_type="Regression"
    )
    with pytest.raises(QualityError, match="set S3DataDistributionType to FullyReplicated"):
        container.run(variables, ProcessingCluster("algo-1", ("algo-1", "algo-2"), sharded=True))


def test_the_jobs_configuration_describes_the_instances_and_the_distribution_of_the_dataset(
    write: Write, tmp_path: Path
) -> None:
    assert container.read_cluster(tmp_path, "/data") == ProcessingCluster()
    write("resourceconfig.json", '{"current_host": "algo-2", "hosts": ["algo-2", "algo-1"]}')
    inputs = [{"S3Input": {"LocalPath": "/data", "S3DataDistributionType": "ShardedByS3Key"}}]
    write("processingjobconfig.json", json.dumps({"ProcessingInputs": inputs}))
    assert container.read_cluster(tmp_path, "/data/captures") == ProcessingCluster(
        "algo-2", ("algo-1", "algo-2"), sharded=True
    )
    assert container.read_cluster(tmp_path, "/elsewhere") == ProcessingCluster(
        "algo-2", ("algo-1", "algo-2"), sharded=False
    )
