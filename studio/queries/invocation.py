"""Invocation of an endpoint from a form: the fields of the model's schema, the request and the response."""

from __future__ import annotations

import json
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from analyzer.values import NUMBER
from deployment.endpoints import ServedVariant
from deployment.invocations import TEST_REQUEST, InvocationResult, invoke
from deployment.records import as_number
from deployment.samples import EvaluationSamples, find_samples
from project.errors import UserError, is_not_found
from project.s3_uris import is_s3_uri, split_s3_uri
from project.target import Target
from studio.queries.captures import Payload, as_payload
from studio.queries.containers import container_of
from studio.queries.variants import Variant

# larger archives are not searched for a schema
_MAX_ARCHIVE = 64 << 20
_MAX_UNPACKED = 512 << 20
_MAX_SCHEMA = 16 << 20
# categories of a feature that are a list to choose from; of more, the first ones are proposed
MAX_CHOICES = 200
EXPLAINED_FEATURES = 15


@dataclass(frozen=True)
class Field:
    """A feature of the model.

    Attributes:
        kind: The type of the feature, such as "number" or "category".
        choices: The categories of the training data, at most MAX_CHOICES; empty for other features.
    """

    name: str
    kind: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class Contribution:
    """The contribution of a feature to the raw score, and its ratio to the largest one, from -1 to 1."""

    feature: str
    value: str
    contribution: float
    share: float


@dataclass(frozen=True)
class Explanation:
    """The explanation of a prediction by this project's endpoints.

    Attributes:
        of_class: The class that the raw score is for; empty for a regression.
    """

    of_class: str
    raw_score: float
    base_value: float
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True)
class Answer:
    """An endpoint's answer to a request, or its error.

    Attributes:
        result: Status, latency, variant, id and message.
        payload: The response.
        facts: Members of the first prediction that are single values, such as label and probability.
        probabilities: Probability by class; empty if the response has none.
        explanation: The explanation of the first prediction; None if the response has none.
        note: A remark on the answer; may be empty.
    """

    result: InvocationResult
    payload: Payload
    facts: tuple[tuple[str, Any], ...] = ()
    probabilities: tuple[tuple[str, float], ...] = ()
    explanation: Explanation | None = None
    note: str = ""


def read_fields(target: Target, variant: Variant) -> tuple[Field, ...]:
    """Return the features of the schema.json in a variant's model archive; empty without one."""
    uri = _archive(target, variant)
    schema = _schema(target, uri) if uri else {}
    try:
        return tuple(_field(feature) for feature in schema.get("features", ()))
    except (KeyError, TypeError, AttributeError):
        # a schema.json of another kind
        return ()


def read_samples(target: Target, variant: Variant) -> EvaluationSamples:
    """Return records that the evaluation of the variant's model predicted, if the execution has kept them."""
    package = next(iter(variant.packages), "")
    served = ServedVariant(variant.name, package, variant.model, {}, variant.share, "", 0, {})
    try:
        return find_samples(target, [served])[0]
    except (ClientError, UserError) as error:
        return EvaluationSamples(variant.name, served.version, reason=str(error))


def record_of(fields: Sequence[Field], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a record of the values of a form; empty ones are missing.

    Args:
        fields: The features.
        texts: Values of the form by name.
    """
    return {
        field.name: as_number(text) if field.kind == "number" and NUMBER.fullmatch(text) else text
        for field in fields
        if (text := texts.get(field.name, "").strip())
    }


def send(
    runtime: Any,
    endpoint: str,
    body: bytes,
    content_type: str,
    accept: str,
    *,
    variant: str,
    explain: bool,
    test: bool,
) -> Answer:
    """Send a request to an endpoint.

    Args:
        runtime: The client that invokes endpoints.
        endpoint: Name of the endpoint.
        body: The body of the request.
        content_type: Its media type.
        accept: The media type of the response.
        variant: The variant that answers; empty for SageMaker's choice.
        explain: Whether to ask for an explanation; without one, an endpoint that gives none is asked again.
        test: Whether to mark the request as a test, which monitoring leaves out.
    """
    attributes = TEST_REQUEST if test else ""
    if explain:
        asked = f"{accept};explain={EXPLAINED_FEATURES}"
        result = invoke(runtime, endpoint, body, content_type, asked, attributes, variant)
        if result.status != 406:
            return _answer(result, accept)
        again = invoke(runtime, endpoint, body, content_type, accept, attributes, variant)
        return _answer(again, accept, note=f"Without an explanation: {result.message}")
    return _answer(invoke(runtime, endpoint, body, content_type, accept, attributes, variant), accept)


def _answer(result: InvocationResult, accept: str, note: str = "") -> Answer:
    payload = as_payload(accept, result.body)
    try:
        prediction = json.loads(result.body)["predictions"][0]
        facts = tuple((name, value) for name, value in prediction.items() if not isinstance(value, dict | list))
        probabilities = tuple((str(name), float(value)) for name, value in prediction.get("probabilities", {}).items())
        explanation = _explanation(prediction["explanation"]) if "explanation" in prediction else None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return Answer(result, payload, note=note)
    return Answer(result, payload, facts, probabilities, explanation, note)


def _explanation(content: Mapping[str, Any]) -> Explanation:
    listed = [(item["feature"], item["value"], float(item["contribution"])) for item in content["contributions"]]
    listed.append(("other features", "", float(content["other_features"])))
    largest = max(abs(contribution) for _, _, contribution in listed) or 1.0
    return Explanation(
        of_class=str(content.get("class", "")),
        raw_score=float(content["raw_score"]),
        base_value=float(content["base_value"]),
        contributions=tuple(
            Contribution(str(name), "missing" if value is None else str(value), contribution, contribution / largest)
            for name, value, contribution in listed
        ),
    )


def _archive(target: Target, variant: Variant) -> str:
    """Return the S3 URI of the variant's model archive; empty without one."""
    container = next(iter(variant.containers), None)
    if container is None:
        return ""
    if container.package:
        description = target.sagemaker.describe_model_package(ModelPackageName=container.package)
        inside: Mapping[str, Any] = next(iter(description.get("InferenceSpecification", {}).get("Containers", ())), {})
        container = container_of(inside)
    uri = container.model_uri
    return uri if is_s3_uri(uri) and uri.endswith(".tar.gz") else ""


def _schema(target: Target, uri: str) -> Mapping[str, Any]:
    """Return the schema.json in a model archive, which is read up to there; empty if there is none."""
    bucket, key = split_s3_uri(uri)
    try:
        response = target.s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if is_not_found(error):
            return {}
        raise
    with response["Body"] as body:
        if response["ContentLength"] > _MAX_ARCHIVE:
            return {}
        try:
            with tarfile.open(fileobj=body, mode="r|gz") as archive:
                for member in archive:
                    # members are decompressed to find the next one
                    if member.offset_data + member.size > _MAX_UNPACKED:
                        return {}
                    if member.name.removeprefix("./") == "schema.json" and (file := archive.extractfile(member)):
                        schema = json.load(file) if member.size <= _MAX_SCHEMA else {}
                        return schema if isinstance(schema, dict) else {}
        except (tarfile.TarError, EOFError, ValueError, RecursionError, zlib.error):
            pass
    return {}


def _field(feature: Mapping[str, Any]) -> Field:
    choices = tuple(map(str, feature.get("categories", ())))[:MAX_CHOICES]
    return Field(str(feature["name"]), str(feature.get("type", "number")), choices)
