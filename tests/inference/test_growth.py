"""Whatever is in a body: the work grows linearly with its length, and both work and response are limited."""

from __future__ import annotations

import json
import math
import re
import time

import batches
import numpy as np
import pytest
from features import Feature, Features
from hypothesis import given
from hypothesis import strategies as st
from request_errors import InputError

import inference
from tests.inference.hostile_bodies import CSV, JSON, SHAPES

pytestmark = pytest.mark.slow

# The sizes in bytes, and the most by which the time may grow from one to the other: linear work grows by 8, quadratic
# work by 64. Times below the floor, in seconds, are not measured well.
SIZES, GROWTH, FLOOR = (10_000, 80_000), 20.0, 0.02


@pytest.fixture(scope="module")
def model(make_project):
    return inference.model_fn(str(make_project("mixed").model))


def respond(model, body: bytes, content_type: str, accept: str) -> tuple[int, str]:
    """Return status and text of the response."""
    try:
        parsed = inference.input_fn(bytearray(body), content_type)
        return 200, inference.output_fn(inference.predict_fn(parsed, model), accept)[0]
    except InputError as error:
        return error.status_code, error.message


def cpu_seconds(model, body: bytes, content_type: str, accept: str) -> float:
    """Measure the faster one of two requests."""
    measured = []
    for _ in range(2):
        start = time.thread_time()
        respond(model, body, content_type, accept)
        measured.append(time.thread_time() - start)
    return min(measured)


@pytest.mark.parametrize("name", SHAPES)
def test_the_time_of_a_request_grows_with_its_length(model, name):
    content_type, make = SHAPES[name]
    small, large = (cpu_seconds(model, make(size).encode(), content_type, CSV) for size in SIZES)
    assert large <= GROWTH * max(small, FLOOR), f"{small:.3f} s for {SIZES[0]} bytes, {large:.3f} s for {SIZES[1]}"


@pytest.mark.parametrize("name", SHAPES)
def test_an_error_is_a_line_whatever_was_sent(model, name):
    content_type, make = SHAPES[name]
    status, text = respond(model, make(SIZES[0]).encode(), content_type, JSON)
    assert status in (200, 400, 413)
    if status != 200:
        assert len(text) <= 500
        assert len(text.splitlines()) == 1


# --- limits ---


def test_too_many_records_for_a_body_are_refused_with_the_limit(model):
    for header in ("malic acid", '"colour"'):
        body = f"{header}\n" + "1\n" * 300_000
        status, text = respond(model, body.encode(), CSV, CSV)
        limit = max(1_000_000, len(body)) // 6
        assert (status, text.partition(",")[0]) == (413, f"the request contains more than {limit} records")
        assert "use a batch transform job" in text


@pytest.mark.parametrize(
    ("accept", "message"),
    [
        (
            JSON,
            "the response is longer than 6291456 characters, the limit for the length of the request; "
            r"send at most \d+ such records in each request, accept text/csv, or use a batch transform job",
        ),
        (CSV, None),
    ],
)
def test_a_response_out_of_proportion_is_refused_with_the_number_of_records_that_fit(model, accept, message):
    body = json.dumps([{}] * 50_000).encode()
    status, text = respond(model, body, JSON, accept)
    if message is None:
        assert (status, text.count("\n")) == (200, 50_000)
        return
    assert status == 413
    assert re.fullmatch(message, text)
    fits = int(re.search(r"at most (\d+)", text)[1])
    assert respond(model, json.dumps([{}] * fits).encode(), JSON, accept)[0] == 200


@pytest.mark.parametrize(("content_type", "unit"), [(CSV, "1.5,a,2,b,\n"), (JSON, "[1,2,3,4,5],")])
def test_records_with_all_features_are_never_too_many(model, content_type, unit):
    text = unit * 50_000
    body = f"[{text[:-1]}]" if content_type == JSON else text
    status, response = respond(model, body.encode(), content_type, CSV)
    assert (status, response.count("\n")) == (200, 50_000)


def test_a_batch_transform_job_has_no_limits(make_project, monkeypatch):
    monkeypatch.setenv("SAGEMAKER_BATCH", "true")
    model = inference.model_fn(str(make_project("mixed").model))
    status, response = respond(model, b"colour\n" + b"1\n" * 240_000, CSV, CSV)
    assert (status, response.count("\n")) == (200, 240_000)


# --- many records ---

NAMES = ["x", "plan", "y"]
FEATURES = [Feature("x", None), Feature("plan", {"gold": 0, "3": 1, "true": 2}), Feature("y", None)]
NUMBERS = (
    st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.sampled_from(["", " 7 ", "1E3"])
)
PLANS = (
    st.none() | st.booleans() | st.integers(0, 4) | st.floats(0, 4) | st.sampled_from(["gold", " 3.0", "TRUE", "NA"])
)
ODD = st.sampled_from([True, "x", math.inf, 10**400, [1], {"a": 1}])
OBJECTS = st.fixed_dictionaries({}, optional={"x": NUMBERS | ODD, "plan": PLANS | ODD, "y": NUMBERS, "z": NUMBERS})
VALID_OBJECTS = st.fixed_dictionaries({}, optional={"x": NUMBERS, "plan": PLANS, "y": NUMBERS})
ARRAYS = st.tuples(NUMBERS, PLANS, NUMBERS).map(list)


@given(
    st.lists(VALID_OBJECTS, min_size=1)
    | st.lists(ARRAYS, min_size=1)
    | st.lists(VALID_OBJECTS | ARRAYS, min_size=1)
    | st.lists(OBJECTS | st.lists(NUMBERS, max_size=4), min_size=1),
    st.booleans(),
)
def test_records_are_encoded_alike_in_a_batch_and_alone(records, ignore_unknown):
    features = Features(FEATURES, ignore_unknown)

    def encoded(encode):
        try:
            return np.array(encode(), dtype=np.float64).tolist()
        except InputError as error:
            return error.message

    alone = encoded(lambda: [features.encode(record, row) for row, record in enumerate(records, 1)])
    in_a_batch = encoded(lambda: np.concatenate([batch.T for batch in batches.encode_batches(records, features)]))
    np.testing.assert_equal(in_a_batch, alone)


def test_rows_are_counted_over_batches(model, monkeypatch):
    monkeypatch.setattr(batches, "MAX_ROWS", 100)
    status, text = respond(model, json.dumps([{}] * 1234 + [{"malic acid": "x"}]).encode(), JSON, CSV)
    assert (status, text) == (400, "row 1235: feature 'malic acid' is 'x', not a number")
