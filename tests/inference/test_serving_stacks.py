"""Responses through the serving stacks: SageMaker's inference toolkit, and sagemaker-containers in Flask."""

from __future__ import annotations

import json
import string
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import inference

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"


class Context:
    """The context that multi-model-server passes to the toolkit."""

    def __init__(self, model_dir: str):
        self.system_properties = {"model_dir": model_dir}
        self.headers: dict[str, str] = {}
        self.request_processor = [SimpleNamespace(get_request_properties=lambda: self.headers)]
        self.status, self.content_type = 200, ""

    def get_request_header(self, index: int, name: str) -> str | None:
        return self.headers.get(name)

    def set_response_status(self, code: int, phrase: str) -> None:
        assert phrase.isascii() and "\n" not in phrase
        self.status = code

    def set_response_content_type(self, index: int, content_type: str) -> None:
        self.content_type = content_type


class Toolkit:
    """The toolkit's Transformer with the handler, called like an endpoint."""

    def __init__(self, model_dir: str):
        from sagemaker_inference.transformer import Transformer

        self.context, self.transformer = Context(model_dir), Transformer()

    def post(self, body: bytes, **headers: str) -> tuple[int, str, str]:
        """Send a request, with header names that have _ for -.

        Returns:
            Status, content type and text of the response.
        """
        self.context.status, self.context.content_type = 200, ""
        self.context.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        # The server passes a bytearray.
        (response,) = self.transformer.transform([{"body": bytearray(body)}], self.context)
        return self.context.status, self.context.content_type, response


@pytest.fixture(scope="module")
def toolkit(make_project) -> Toolkit:
    pytest.importorskip("sagemaker_inference.transformer")
    return Toolkit(str(make_project("mixed").model))


def test_responses_are_json_unless_another_type_is_accepted(toolkit):
    for headers in ({}, {"Accept": "*/*"}, {"Accept": JSON}):
        status, content_type, text = toolkit.post(b'{"malic acid": 2.5}', Content_Type=JSON, **headers)
        assert (status, content_type) == (200, JSON)
        assert json.loads(text)["predictions"][0]["label"] in ("barolo", "other")
    status, content_type, text = toolkit.post(b"malic acid\n2.5\n", Content_Type=CSV, Accept=CSV)
    assert (status, content_type, text.count("\n")) == (200, CSV, 1)


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"{", {"Content_Type": JSON}, 400, "the body is not JSON"),
        (b"\xff\xfe", {"Content_Type": CSV}, 400, "the body is not UTF-8"),
        (b"\xff\xfe", {"Content_Type": JSON}, 400, "the body is not UTF-8"),
        (b"", {"Content_Type": CSV}, 400, "the request contains no records"),
        (b"", {"Content_Type": JSON}, 400, "the body is not JSON"),
        (b"", {}, 400, "the body is not JSON"),
        (b"[" * 100_000, {"Content_Type": JSON}, 400, "the body is nested too deeply"),
        (b'{"x":' * 100_000, {"Content_Type": JSON}, 400, "the body is nested too deeply"),
        (
            b'{"malic acid": ' + b"[" * 900 + b"]" * 900 + b"}",
            {"Content_Type": JSON},
            400,
            "row 1: feature 'malic acid'",
        ),
        (
            b'{"malic acid": ' + b"9" * 5000 + b"}",
            {"Content_Type": JSON},
            400,
            "the body is not JSON: Exceeds the limit",
        ),
        (
            b'{"malic acid": 1, "malic acid": 2}',
            {"Content_Type": JSON},
            400,
            "the body has the duplicate key 'malic acid'",
        ),
        (b'{"a\\ud800": 1}', {"Content_Type": JSON}, 400, "row 1: the model has no feature 'a\\ud800'"),
        (b"colour,colour\ndeep,deep\n", {"Content_Type": CSV}, 400, "the header has the duplicate column 'colour'"),
        (b'"' + b"x" * (1 << 21), {"Content_Type": CSV}, 400, "row 1 is not CSV: field larger than field limit"),
        (b",".join([b"1"] * 5000), {"Content_Type": CSV}, 400, "row 1 has 5000 values, but the model has 5 features"),
        (b"{}", {"Content_Type": "image/png"}, 415, "content type 'image/png' is not supported"),
        (b"{}", {"Content_Type": JSON, "Accept": "image/png"}, 406, "accept 'image/png' is not supported"),
    ],
)
def test_an_invalid_request_gets_a_4xx_with_the_reason(toolkit, body, headers, status, message):
    found, _, text = toolkit.post(body, **headers)
    assert (found, text.splitlines()[0][: len(message)]) == (status, message)
    assert len(text) < 5000, "the message is shortened"
    text.encode()


def test_sagemaker_containers_gets_a_response_instead_of_an_exception(make_project, monkeypatch):
    """sagemaker-containers 2.8.6 turns exceptions into a 500, and returns the result of output_fn to Flask."""
    flask = SimpleNamespace(
        has_request_context=lambda: True,
        request=SimpleNamespace(headers={"X-Amzn-SageMaker-Custom-Attributes": "explain=1"}),
        Response=lambda response, status, mimetype: SimpleNamespace(data=response, status=status, mimetype=mimetype),
    )
    monkeypatch.setitem(sys.modules, "flask", flask)
    model = inference.model_fn(str(make_project("mixed").model))

    def respond(body: bytes, content_type: str, accept: str) -> Any:
        return inference.output_fn(inference.predict_fn(inference.input_fn(body, content_type), model), accept)

    body, content_type = respond(b"{}", JSON, JSON)
    assert content_type == JSON
    assert len(json.loads(body)["predictions"][0]["explanation"]["contributions"]) == 1
    for body, content_type, accept, status in (
        (b"{", JSON, JSON, 400),
        (b'{"smell": 1}', JSON, JSON, 400),
        (b"{}", "image/png", JSON, 415),
        (b"{}", JSON, "image/png", 406),
    ):
        response = respond(body, content_type, accept)
        assert (response.status, response.mimetype) == (status, "text/plain")
        assert len(response.data.splitlines()) == 1


# --- arbitrary requests ---

NAMES = st.sampled_from(["alcohol, %", "colour", "malic acid", "proline above 700", "vineyard", "smell"]) | st.text()
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["deep", "NaN", " 3 ", "1e999", "-inf", "1_000", "0x10", "٣", "true"])
)
CELLS = st.text(string.printable + "é日\x00\ufeff", max_size=12) | st.sampled_from(
    ["1", "2.5", "", "NA", "deep", "inf", '"', '"a,b"', "colour", "1" * 400]
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=6) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=30
    ).map(lambda value: json.dumps(value).encode()),
    st.dictionaries(NAMES, SCALARS, max_size=7).map(lambda record: json.dumps(record).encode()),
    st.lists(st.lists(CELLS, max_size=6), max_size=5).map(
        lambda rows: "\n".join(",".join(row) for row in rows).encode()
    ),
)
TYPES = st.sampled_from([CSV, JSON, LINES, "text/csv; charset=latin-1", "", "x", "TEXT/CSV"]) | st.text(max_size=20)
ACCEPTS = st.sampled_from(
    [
        CSV,
        JSON,
        LINES,
        "*/*",
        "",
        "text/html, */*;q=0.1",
        ",;=",
        f"{JSON};explain=true",
        f"{LINES};explain=9",
        f"{CSV};explain=",
    ]
) | st.text(max_size=20)


@settings(max_examples=400)
@given(BODIES, TYPES, ACCEPTS)
def test_no_request_causes_a_5xx_or_breaks_the_model(toolkit, body, content_type, accept):
    status, _, text = toolkit.post(body, Content_Type=content_type, Accept=accept)
    assert status in (200, 400, 406, 415), text
    text.encode()
    status, _, _ = toolkit.post(b"{}", Content_Type=JSON)
    assert status == 200


@settings(max_examples=150)
@given(BODIES, st.sampled_from([CSV, JSON, LINES]))
def test_a_response_has_a_prediction_for_every_record(toolkit, body, content_type):
    status, _, text = toolkit.post(body, Content_Type=content_type, Accept=JSON)
    if status == 200:
        predictions = json.loads(text)["predictions"]
        _, _, lines = toolkit.post(body, Content_Type=content_type, Accept=CSV)
        assert len(predictions) == lines.count("\n") > 0
        assert all(0 <= prediction["probability"] <= 1 for prediction in predictions)
