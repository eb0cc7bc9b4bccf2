"""Clarify jobs that ask an endpoint, against a server that speaks SageMaker's protocol."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from analyzer import QualityError
from analyzer.clarify import shadow_endpoint
from tests.analyzer.clarify.conftest import CONFIG, LOANS, RunJob, metric

CSV, LINES = "text/csv", "application/jsonlines"


REFUSED = json.dumps({"__type": "ValidationException", "message": "Cannot update in-progress endpoint."})


def score(age: float, housing: str) -> float:
    return 1 / (1 + math.exp(-(age - 40) / 10 - (housing == "own")))


@dataclass
class Account:
    """What has been asked of SageMaker, and how its endpoints answer.

    Attributes:
        answer: Makes the response of an endpoint to records of age and housing.
        status: Status of the endpoints that are created.
        code: HTTP status of their responses.
        refused_deletions: How often a deletion of an endpoint is refused, because it is still being created.
        calls: The names of the operations, and their requests.
        invocations: The bodies of the requests to endpoints.
    """

    answer: Callable[[list[list[str]]], str]
    status: str = "InService"
    code: int = 200
    refused_deletions: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    invocations: list[str] = field(default_factory=list)

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.calls]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account(lambda rows: "".join(f"{score(float(age), housing)}\n" for age, housing in rows))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            code = account.code
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path.startswith("/endpoints/"):
                account.invocations.append(body)
                answer = account.answer([*csv.reader(io.StringIO(body))])
            else:
                operation = self.headers["X-Amz-Target"].partition(".")[2]
                account.calls.append((operation, json.loads(body)))
                answer = json.dumps(
                    {
                        "CreateEndpointConfig": {"EndpointConfigArn": "arn:aws:sagemaker:us-east-1:1:c/x"},
                        "CreateEndpoint": {"EndpointArn": "arn:aws:sagemaker:us-east-1:1:e/x"},
                        "DescribeEndpoint": {"EndpointStatus": account.status, "FailureReason": "no memory"},
                    }.get(operation, {})
                )
                if operation == "DeleteEndpoint" and account.refused_deletions:
                    account.refused_deletions -= 1
                    code, answer = 400, REFUSED
            self.send_response(code)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    yield account
    server.shutdown()
    server.server_close()


def bias(**predictor: Any) -> dict[str, Any]:
    config = {name: value for name, value in CONFIG.items() if name != "predicted_label"}
    config["methods"] = {"post_training_bias": {"methods": ["DPPL"]}}
    return config | {"excluded_columns": ["sex", "predicted"], "predictor": {"endpoint_name": "credit"} | predictor}


def shap(**settings: Any) -> dict[str, Any]:
    return bias() | {"methods": {"shap": {"baseline": [[40, "rent"]], "seed": 1} | settings}}


def expected_difference(threshold: float) -> float:
    rows = [line.split(",") for line in LOANS.splitlines()[1:]]
    favourable = [score(float(row[1]), row[2]) > threshold for row in rows]
    shares = [
        sum(is_yes for row, is_yes in zip(rows, favourable, strict=True) if row[0] == sex) / count
        for sex, count in (("male", 6), ("female", 4))
    ]
    return shares[0] - shares[1]


@pytest.mark.parametrize("threshold", [None, 0.8])
def test_scores_above_the_threshold_are_the_label_that_label_headers_name(
    account: Account, run_job: RunJob, threshold: float | None
) -> None:
    config = bias(label_headers=["yes"]) | ({} if threshold is None else {"probability_threshold": threshold})
    entry = metric(run_job(config), "DPPL")
    assert entry["value"] == pytest.approx(expected_difference(threshold or 0.5))
    assert account.invocations[0].splitlines()[0] == "22,rent"


def test_scores_of_labels_that_are_texts_need_label_headers(account: Account, run_job: RunJob) -> None:
    with pytest.raises(
        QualityError, match=r"answers with scores, but the labels are 'no', 'yes'; set predictor\.label_"
    ):
        run_job(bias())


def test_labels_are_taken_as_they_are(account: Account, run_job: RunJob) -> None:
    account.answer = lambda rows: "".join(
        json.dumps({"label": "yes" if score(float(age), home) > 0.5 else "no"}) + "\n" for age, home in rows
    )
    result = run_job(bias(content_type=CSV, accept_type=LINES, label="label"))
    assert metric(result, "DPPL")["value"] == pytest.approx(expected_difference(0.5))


def test_the_class_with_the_highest_score_is_the_label(account: Account, run_job: RunJob) -> None:
    def answer(rows: list[list[str]]) -> str:
        scores = [score(float(age), home) for age, home in rows]
        return "".join(f"{1 - value},{value}\n" for value in scores)

    account.answer = answer
    result = run_job(bias(label_headers=["no", "yes"]))
    assert metric(result, "DPPL")["value"] == pytest.approx(expected_difference(0.5))


def test_of_a_list_of_labels_that_with_the_highest_probability_is_predicted(account: Account, run_job: RunJob) -> None:
    def answer(rows: list[list[str]]) -> str:
        scores = [score(float(age), home) for age, home in rows]
        lines = [{"labels": ["yes", "no"], "probabilities": [value, 1 - value]} for value in scores]
        return "".join(json.dumps(line) + "\n" for line in lines)

    account.answer = answer
    places = {"label": "labels", "probability": "probabilities"}
    result = run_job(bias(content_type=CSV, accept_type=LINES, **places))
    assert metric(result, "DPPL")["value"] == pytest.approx(expected_difference(0.5))


def test_a_request_that_the_endpoint_refuses_is_an_error(account: Account, run_job: RunJob) -> None:
    account.code = 400
    account.answer = lambda rows: json.dumps({"Message": "unknown column"})
    with pytest.raises(
        QualityError, match=r"endpoint .credit. does not answer a request of 10 records .*check predictor"
    ):
        run_job(bias(label_headers=["yes"]))


def test_predicted_numbers_are_compared_with_the_threshold_of_the_label(account: Account, run_job: RunJob) -> None:
    config = bias() | {"label": "age", "label_values_or_threshold": [40.5]}
    config["excluded_columns"] = ["sex", "predicted", "credit"]
    account.answer = lambda rows: "".join(f"{len(home) * 10.5}\n" for (home,) in rows)
    entry = metric(run_job(config), "DPPL")
    # Of the tenants, all are predicted to be 42 years old; of the others none.
    assert entry["value"] == pytest.approx(3 / 6 - 2 / 4)


def test_kernel_shap_explains_the_scores(account: Account, run_job: RunJob) -> None:
    result = run_job(shap(save_local_shap_values=True))
    values = result.analysis["explanations"]["kernel_shap"]["label0"]
    base = score(40, "rent")
    assert values["expected_value"] == pytest.approx(base)
    rows = [line.split(",") for line in LOANS.splitlines()[1:]]
    # Two features: the Shapley value by hand.
    by_hand = [
        (score(float(age), "rent") - base + score(float(age), home) - score(40, home)) / 2 for _, age, home, *_ in rows
    ]
    assert values["global_shap_values"]["age"] == pytest.approx(sum(map(abs, by_hand)) / len(rows))


def test_a_baseline_is_clustered_where_there_is_none(account: Account, run_job: RunJob, tmp_path: Any) -> None:
    config = shap()
    config["methods"]["shap"] = {"num_clusters": 2, "seed": 1}
    run_job(config)
    rows = (tmp_path / "output" / "explanations_shap" / "baseline.csv").read_text().splitlines()
    assert len(rows) == 2


def test_partial_dependence_is_that_of_the_endpoint(account: Account, run_job: RunJob) -> None:
    config = bias() | {"methods": {"pdp": {"features": ["housing"], "grid_resolution": 5}}}
    (plot,) = run_job(config).analysis["explanations"]["pdp"]
    ages = [float(line.split(",")[1]) for line in LOANS.splitlines()[1:]]
    means = {home: sum(score(age, home) for age in ages) / 10 for home in ("own", "rent")}
    found = dict(zip(plot["feature_values"], plot["model_predictions"][0], strict=True))
    assert found == {home: pytest.approx(mean) for home, mean in means.items()}


def test_an_endpoint_is_created_for_the_job_and_deleted_after_it(account: Account, run_job: RunJob) -> None:
    predictor = {"model_name": "credit-model", "instance_type": "ml.m5.large", "initial_instance_count": 2}
    run_job(bias(label_headers=["yes"]) | {"predictor": predictor | {"label_headers": ["yes"]}})
    assert account.operations == [
        "CreateEndpointConfig",
        "CreateEndpoint",
        "DescribeEndpoint",
        "DeleteEndpoint",
        "DeleteEndpointConfig",
    ]
    requests = dict(account.calls)
    (variant,) = requests["CreateEndpointConfig"]["ProductionVariants"]
    assert (variant["ModelName"], variant["InstanceType"], variant["InitialInstanceCount"]) == (
        "credit-model",
        "ml.m5.large",
        2,
    )
    assert requests["DeleteEndpoint"]["EndpointName"] == requests["CreateEndpoint"]["EndpointName"]
    assert requests["CreateEndpoint"]["EndpointName"].startswith("sm-clarify-credit-model-")


def test_an_endpoint_that_fails_is_deleted_too(account: Account, run_job: RunJob) -> None:
    account.status = "Failed"
    config = bias() | {"predictor": {"instance_type": "ml.m5.large"}}
    with pytest.raises(QualityError, match=r"failed to start \(no memory\)"):
        run_job(config, model_name="credit-model")
    assert account.operations[-2:] == ["DeleteEndpoint", "DeleteEndpointConfig"]


def test_an_endpoint_that_is_still_being_created_is_deleted_as_soon_as_it_can_be(
    account: Account, run_job: RunJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_endpoint, "TIMEOUT_SECONDS", 0)
    monkeypatch.setattr(shadow_endpoint, "POLL_SECONDS", 0)
    account.status, account.refused_deletions = "Creating", 2
    with pytest.raises(QualityError, match="is still Creating"):
        run_job(bias() | {"predictor": {"instance_type": "ml.m5.large"}}, model_name="credit-model")
    assert account.operations[-4:] == [*["DeleteEndpoint"] * 3, "DeleteEndpointConfig"]


def test_a_signal_does_not_keep_the_endpoint() -> None:
    calls = []

    def delete(**names: str) -> None:
        calls.append(names)
        if len(calls) == 1:
            raise SystemExit

    with pytest.raises(SystemExit), contextlib.ExitStack() as created:
        created.callback(shadow_endpoint._delete, delete, EndpointName="shadow")
        raise SystemExit
    assert calls == [{"EndpointName": "shadow"}] * 2


@pytest.mark.parametrize(
    ("config", "answer", "message"),
    [
        (bias(label_headers=["yes"]), "", "does not fit the predictor: 0 predictions for 10 records"),
        (bias(label_headers=["yes"]), "high\n", "answers with 'high' instead of a score; set predictor.label"),
        (shap(), "high\n", "answers with labels that are not numbers"),
        (
            shap(features_to_explain=["credit"]),
            "0.5\n",
            "features_to_explain has 'credit', which is not a feature",
        ),
        (shap(baseline=[[1]]), "", "methods.shap.baseline has a row of 1 values for the 2 features"),
        (bias(label_headers=["a", "b"]), "1,2,3\n", "answers with 3 scores, but predictor.label_headers has 2"),
        (bias() | {"predictor": {"instance_type": "ml.m5.large"}}, "", "predictor.model_name is missing"),
    ],
    ids=["no answer", "no score", "no number", "no feature", "a short baseline", "too few labels", "no model"],
)
def test_answers_and_predictors_that_do_not_fit_are_named(
    account: Account, run_job: RunJob, config: dict[str, Any], answer: str, message: str
) -> None:
    account.answer = lambda rows: answer * len(rows)
    with pytest.raises(QualityError, match=message):
        run_job(config)
