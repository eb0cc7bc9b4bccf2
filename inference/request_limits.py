"""How much work a request may ask for.

A body of 6 MB can hold two million records such as `{}`, each of which costs as much as a record with all features and
gets a response of 160 bytes. So both the values that the model receives and the response are limited in proportion to
the body. Records with a value for each feature never reach the first limit, unless the model has more classes than
features. A real-time endpoint could not deliver the responses that the second one refuses: InvokeEndpoint passes at
most 6 MB.

Batch transform jobs, whose input is their owner's, have no limits.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from request_errors import InputError

# Numbers per byte of the body: the features of all records, and the outputs of the model for them.
VALUES_PER_BYTE = 1
RESPONSE_PER_BYTE = 8
# A short body may always ask for this much.
MIN_VALUES = 1_000_000
MIN_RESPONSE = 6 << 20


@dataclass(frozen=True)
class Limits:
    """The limits of a request.

    Attributes:
        records: The most records.
        response: The most characters of the response.
    """

    records: int = sys.maxsize
    response: int = sys.maxsize

    def check_records(self, number: int) -> None:
        """Raise InputError for too many records."""
        if number > self.records:
            raise InputError(
                f"the request contains more than {self.records} records, the limit for its length; "
                "send fewer in each request, or use a batch transform job",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )

    def check_response(self, length: int, records: int, advice: str = "") -> None:
        """Raise InputError if the response is too long.

        Args:
            length: The characters of the predictions so far.
            records: The number of predictions so far.
            advice: What makes the response shorter, such as " accept text/csv,".
        """
        if length > self.response:
            raise InputError(
                f"the response is longer than {self.response} characters, the limit for the length of the request; "
                f"send at most {max(1, records * self.response // length)} such records in each request,{advice} "
                "or use a batch transform job",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )


NO_LIMITS = Limits()


def request_limits(body_length: int, values_per_record: int) -> Limits:
    """Return the limits of a body in bytes, for a model with that many features and outputs."""
    return Limits(
        max(1, max(MIN_VALUES, VALUES_PER_BYTE * body_length) // values_per_record),
        max(MIN_RESPONSE, RESPONSE_PER_BYTE * body_length),
    )


def is_batch_transform(environment: Mapping[str, str]) -> bool:
    """Return whether the container runs in a batch transform job."""
    return environment.get("SAGEMAKER_BATCH") == "true"
