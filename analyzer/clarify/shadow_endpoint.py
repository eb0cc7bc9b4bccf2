"""The endpoint that answers a job's requests: one that exists, or as in Clarify one that lives as long as the job."""

from __future__ import annotations

import contextlib
import logging
import secrets
import time
from collections.abc import Iterator
from typing import Any

from analyzer import QualityError
from analyzer.clarify.config import PredictorConfig
from analyzer.clients import client

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 1800
DELETION_SECONDS = 600
POLL_SECONDS = 2.0
NAME_LENGTH = 63


@contextlib.contextmanager
def endpoint(predictor: PredictorConfig) -> Iterator[str]:
    """Yield the name of the endpoint; one that is created for it is deleted afterwards, whatever happens.

    Raises:
        QualityError: The predictor is incomplete, or the endpoint cannot be created.
    """
    if predictor.endpoint_name:
        yield predictor.endpoint_name
        return
    if not predictor.model_name or not predictor.instance_type:
        missing = "model_name" if not predictor.model_name else "instance_type"
        raise QualityError(f"predictor.{missing} is missing; set it, or endpoint_name to use an existing endpoint")
    suffix = f"{int(time.time())}-{secrets.token_hex(2)}"
    prefix = predictor.endpoint_name_prefix or f"sm-clarify-{predictor.model_name}"
    name = f"{prefix[: NAME_LENGTH - len(suffix) - 1]}-{suffix}"
    config_name = f"sm-clarify-config-{suffix}"
    sagemaker = client("sagemaker")
    import botocore.exceptions

    with contextlib.ExitStack() as created:
        try:
            logger.info("Creating endpoint: '%s'", name)
            # Deleted even if the request fails: the service may have accepted it although its response got lost.
            created.callback(_delete, sagemaker.delete_endpoint_config, EndpointConfigName=config_name)
            sagemaker.create_endpoint_config(
                EndpointConfigName=config_name,
                ProductionVariants=[
                    {
                        "VariantName": "AllTraffic",
                        "ModelName": predictor.model_name,
                        "InstanceType": predictor.instance_type,
                        "InitialInstanceCount": predictor.initial_instance_count,
                    }
                ],
            )
            created.callback(_delete, sagemaker.delete_endpoint, EndpointName=name)
            sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config_name)
            _wait(sagemaker, name)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise QualityError(
                f"the endpoint for model {predictor.model_name!r} cannot be created ({error}); check "
                "predictor.model_name and the permissions of the job's role"
            ) from error
        yield name


def _wait(sagemaker: Any, name: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (answer := sagemaker.describe_endpoint(EndpointName=name))["EndpointStatus"] != "InService":
        status = answer["EndpointStatus"]
        if status == "Failed":
            raise QualityError(f"endpoint {name!r} failed to start ({answer.get('FailureReason', 'no reason given')})")
        if time.monotonic() > deadline:
            raise QualityError(f"endpoint {name!r} is still {status} after {TIMEOUT_SECONDS // 60} minutes")
        time.sleep(POLL_SECONDS)


def _delete(operation: Any, **names: str) -> None:
    """Delete a resource, also one that is still being created, which SageMaker refuses until it is."""
    import botocore.exceptions

    name = ", ".join(names.values())
    logger.info("Deleting %s", name)
    deadline = time.monotonic() + DELETION_SECONDS
    while True:
        try:
            operation(**names)
            return
        except SystemExit:
            # A signal must not keep the endpoint; the job ends after this.
            continue
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            if "Could not find" in str(error):
                return
            if "in-progress" not in str(error) or time.monotonic() > deadline:
                # The analysis is worth more than a failed cleanup, but the endpoint costs money.
                logger.warning("%s could not be deleted (%s); delete it", name, error)
                return
        with contextlib.suppress(SystemExit):
            time.sleep(POLL_SECONDS)
