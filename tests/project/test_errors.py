"""Which service errors mean that a resource does not exist."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from project.errors import is_not_found


def client_error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Describe")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ResourceNotFound", ""),
        ("ResourceNotFoundException", "The specified log group does not exist."),
        ("ObjectNotFoundException", "No scalable target found"),
        ("NoSuchKey", "The specified key does not exist."),
        ("404", "Not Found"),
        ("ValidationException", 'Could not find endpoint "churn".'),
        ("ValidationException", "Requested resource not found."),
        ("ValidationException", "ModelPackageGroup arn:aws:...:model-package-group/churn does not exist."),
        ("ValidationError", "Stack with id churn-staging-build does not exist"),
    ],
)
def test_errors_about_a_missing_resource_are_recognized(code: str, message: str) -> None:
    assert is_not_found(client_error(code, message))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ValidationException", "1 validation error detected"),
        ("AccessDeniedException", "does not exist or you are not authorized"),
        ("NoSuchBucket", "The specified bucket does not exist"),
        ("ThrottlingException", "Rate exceeded"),
    ],
)
def test_other_errors_are_not(code: str, message: str) -> None:
    assert not is_not_found(client_error(code, message))
