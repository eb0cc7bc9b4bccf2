"""Code bundles: the key depends on the content alone."""

from __future__ import annotations

import ast
import io
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pipelines.bundles import Bundle, all_bundles, evaluate_bundle, train_bundle
from project.paths import REPOSITORY
from project.settings import LOWER_IS_BETTER, METRICS, OTHER_METRICS, Settings

names = st.text("abcdefgh/._", min_size=1, max_size=12)
files = st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=5)


@given(files)
def test_the_digest_does_not_depend_on_the_order_of_files(content: dict[str, bytes]) -> None:
    assert Bundle("b", content).digest == Bundle("b", dict(reversed(content.items()))).digest


@given(files, files)
def test_bundles_share_a_digest_only_if_they_are_the_same(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assert (Bundle("b", one).digest == Bundle("b", other).digest) == (one == other)


def test_a_byte_that_moves_from_one_file_to_the_next_changes_the_digest() -> None:
    assert Bundle("b", {"x": b"12", "y": b"3"}).digest != Bundle("b", {"x": b"1", "y": b"23"}).digest


def test_an_archive_has_the_same_bytes_every_time_and_holds_the_files(
    make_settings: Callable[..., Settings],
) -> None:
    ((uri, first),) = train_bundle(make_settings()).objects("s3://bucket/code")
    ((_, second),) = train_bundle(make_settings()).objects("s3://bucket/code")
    assert first == second
    assert uri == train_bundle(make_settings()).uri("s3://bucket/code")
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        names = archive.getnames()
    handler = {f"inference/{path.name}" for path in (REPOSITORY / "inference").glob("*.py")}
    package = {f"training/{path.name}" for path in (REPOSITORY / "training_scripts" / "training").glob("*.py")}
    assert handler > {"inference/inference.py"}
    assert package > {"training/__init__.py"}
    modules = ("__init__.py", "datetimes.py", "user_features.py", "values.py", "value_formats.py", "arrow_values.py")
    shared = {f"inference/analyzer/{name}" for name in modules}
    assert set(names) == {*handler, *shared, *package, "inference/requirements.txt", "requirements.txt", "train.py"}


def test_a_processing_bundle_is_a_prefix_with_a_file_each(make_settings: Callable[..., Settings]) -> None:
    bundle = evaluate_bundle(make_settings())
    uris = [uri for uri, _ in bundle.objects("s3://bucket/code")]
    assert all(uri.startswith(bundle.uri("s3://bucket/code") + "/") for uri in uris)
    assert {uri.rsplit("/", 1)[1] for uri in uris} >= {"evaluate.py", "run.sh", "multiclass.py"}


def test_a_bundle_contains_the_modules_that_its_scripts_import_from_this_repository(
    make_settings: Callable[..., Settings],
) -> None:
    for bundle in all_bundles(make_settings()):
        for path, data in bundle.files.items():
            # inference/ becomes the code folder of the model
            folder = "inference/" if path.startswith("inference/") else ""
            for module in re.findall(rb"^(?:from|import) (analyzer[\w.]*)", data, re.M):
                name = folder + module.decode().replace(".", "/")
                assert {f"{name}.py", f"{name}/__init__.py"} & bundle.files.keys(), path


def test_evaluate_knows_every_metric_that_the_settings_may_require_and_its_direction() -> None:
    program = """
import numpy as np
from evaluation.metrics import LOWER_IS_BETTER
from evaluation.outcome import Outcome
truth, scores = np.array([0, 1, 1, 0]), np.array([0.2, 0.9, 0.6, 0.4])
several = np.array([[0.5, 0.3, 0.2]] * 4)
outcomes = {
    "BinaryClassification": ([0, 1], scores, {}),
    "MulticlassClassification": ([0, 1, 2], several, {}),
    "Regression": (None, scores, {"alpha": 0.5}),
    "Ranking": (None, scores, {"groups": np.array([0, 0, 1, 1])}),
}
names = {}
for kind, (classes, output, keywords) in outcomes.items():
    schema = {"problem_type": kind, "classes": classes}
    names[kind] = sorted(Outcome.from_scores(schema, output, truth, **keywords).values())
print([names, sorted(LOWER_IS_BETTER)])
"""
    path = os.pathsep.join([str(REPOSITORY / "processing_scripts"), str(REPOSITORY)])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    names, lower = ast.literal_eval(done.stdout)
    assert names == {kind: sorted((*METRICS[kind], *OTHER_METRICS[kind])) for kind in METRICS}
    assert lower == sorted(LOWER_IS_BETTER)
