"""RevisionIds, with which clients make sure that nobody has changed a function or an alias since they read it."""

from __future__ import annotations

import time
import uuid

from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.protocol.times import iso_milliseconds
from local_sagemaker.storage.records import Record


def revision_members() -> Record:
    """Return the members that every change of a function gives new values."""
    return {"LastModified": iso_milliseconds(time.time(), "+0000"), "RevisionId": str(uuid.uuid4())}


def check_revision(resource: Record, request: Record) -> None:
    """Compare the RevisionId of a configuration or an alias with that of a request, if it has one.

    Raises:
        ServiceError: They differ.
    """
    if request.get("RevisionId", resource["RevisionId"]) != resource["RevisionId"]:
        raise ServiceError(
            "PreconditionFailedException",
            "The RevisionId provided does not match the latest RevisionId. Call the GetFunction or the GetAlias API to "
            "retrieve the latest RevisionId for your resource.",
        )
