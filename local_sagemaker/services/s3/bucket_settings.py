"""Settings of buckets: a table with a row for each, from which its Get, Put and Delete operations are made.

All but versioning and notifications are only recorded: nobody but the user can reach the buckets of this machine, and
nothing is encrypted, expired, logged or served as a website.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.model import Shape, StringShape
from werkzeug.wrappers import Response

from local_sagemaker.protocol.shapes import operation_model
from local_sagemaker.services.s3.errors import S3Error
from local_sagemaker.services.s3.s3_request import S3Request
from local_sagemaker.services.s3.tags import check_tags
from local_sagemaker.services.s3.xml import check_document, document_content, xml_response
from local_sagemaker.storage.bucket_settings import Document

MAX_TAGS = 50
ALL_BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
LIFECYCLE_ACTIONS = {
    *("Expiration", "Transitions", "NoncurrentVersionTransitions", "NoncurrentVersionExpiration"),
    "AbortIncompleteMultipartUpload",
}
EVERYBODY = ("*", {"AWS": "*"}, {"AWS": ["*"]})


def _as_sent(_: S3Request, document: Document) -> Document:
    return document


@dataclass(frozen=True)
class BucketSetting:
    """A setting of a bucket.

    Attributes:
        noun: What its operations are called after, such as `BucketTagging` of PutBucketTagging.
        absent: Error code and message of its Get operation where there is none; None if that responds with `default`.
        default: What a new bucket has; None for nothing.
        delete: Its Delete operation; empty if there is none.
        prepare: Checks and completes the document that is put.
    """

    noun: str
    absent: tuple[str, str] | None = None
    default: Document = None
    delete: str = ""
    prepare: Callable[[S3Request, Document], Document] = _as_sent

    @property
    def operations(self) -> dict[str, Callable[[S3Request], Response]]:
        """The operations of the setting, by name."""
        deletion = {self.delete: self._delete} if self.delete else {}
        return {f"Get{self.noun}": self._get, f"Put{self.noun}": self._put, **deletion}

    def _get(self, request: S3Request) -> Response:
        request.require_bucket()
        document = request.objects.settings.get(request.bucket, self.noun, self.default)
        if document is None:
            if self.absent is not None:
                code, message = self.absent
                raise S3Error(code, 404, message, BucketName=request.bucket)
            document = self.default or {}
        if isinstance(document, str):
            return Response(document, content_type="application/json")
        shape = self._shape
        return xml_response(shape.serialization["name"], document_content(shape, document))

    def _put(self, request: S3Request) -> Response:
        request.require_bucket()
        if not isinstance(self._shape, StringShape):
            check_document(self._shape, request.document)
        request.objects.settings.put(request.bucket, self.noun, self.prepare(request, request.document))
        return Response(status=204 if isinstance(self._shape, StringShape) else 200)

    def _delete(self, request: S3Request) -> Response:
        request.require_bucket()
        request.objects.settings.put(request.bucket, self.noun, None)
        return Response(status=204)

    @property
    def _shape(self) -> Shape:
        """The shape of its document, in the request of the Put operation."""
        shape = operation_model("s3", f"Put{self.noun}").input_shape
        return shape.members[shape.serialization["payload"]]


def _versioning(_: S3Request, document: Document) -> Document:
    if "Status" not in document:
        raise S3Error("IllegalVersioningConfigurationException", 400, "The Versioning element must be specified")
    return {"Status": document["Status"]}


def _public_access_block(_: S3Request, document: Document) -> Document:
    return {**dict.fromkeys(ALL_BLOCKED, False), **document}


def _notifications(request: S3Request, document: Document) -> Document:
    """Check the filters and destinations of a notification configuration."""
    configuration = with_ids("LambdaFunctionConfigurations QueueConfigurations TopicConfigurations", "Id", document)
    for items in configuration.values():
        for item in items if isinstance(items, list) else []:
            rules = item.get("Filter", {}).get("Key", {}).get("FilterRules", [])
            names = [rule.get("Name", "").lower() for rule in rules]
            if set(names) - {"prefix", "suffix"} or len(set(names)) < len(names):
                raise S3Error("InvalidArgument", 400, "filter rule name must be either prefix or suffix, each once")
    try:
        request.check_notifications(request.bucket, configuration)
    except ValueError as error:
        message = f"Unable to validate the following destination configurations: {error}"
        raise S3Error("InvalidArgument", 400, message) from error
    return configuration


def _tagging(_: S3Request, document: Document) -> Document:
    check_tags([(tag["Key"], tag["Value"]) for tag in document["TagSet"]], MAX_TAGS)
    return document


def _lifecycle(_: S3Request, document: Document) -> Document:
    """Check the actions of lifecycle rules, and give each rule an ID."""
    for rule in document["Rules"]:
        if not rule.keys() & LIFECYCLE_ACTIONS:
            raise S3Error("InvalidRequest", 400, "At least one action needs to be specified in a rule.")
        for action in ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
            for member in ("Days", "NoncurrentDays", "DaysAfterInitiation"):
                if rule.get(action, {}).get(member, 1) < 1:
                    message = f"'{member}' for {action} action must be a positive integer"
                    raise S3Error("InvalidArgument", 400, message)
    return with_ids("Rules", "ID", document)


def _policy(_: S3Request, text: str) -> str:
    try:
        is_policy = isinstance(json.loads(text), dict)
    # the latter without a body
    except (ValueError, TypeError):
        is_policy = False
    if not is_policy:
        message = "Policies must be valid JSON and the first byte must be '{'"
        raise S3Error("MalformedPolicy", 400, message)
    return text


def with_ids(lists: str, member: str, document: Document) -> Document:
    """Give the items of some lists of a document an id where they have none, as S3 does."""
    return {
        name: [{member: secrets.token_hex(16), **item} for item in value] if name in lists.split() else value
        for name, value in document.items()
    }


SETTINGS = (
    BucketSetting("BucketVersioning", default={}, prepare=_versioning),
    BucketSetting(
        "BucketTagging",
        absent=("NoSuchTagSet", "The TagSet does not exist"),
        delete="DeleteBucketTagging",
        prepare=_tagging,
    ),
    BucketSetting(
        "BucketPolicy",
        absent=("NoSuchBucketPolicy", "The bucket policy does not exist"),
        delete="DeleteBucketPolicy",
        prepare=_policy,
    ),
    BucketSetting(
        "BucketCors",
        absent=("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
        delete="DeleteBucketCors",
    ),
    BucketSetting(
        "BucketLifecycleConfiguration",
        absent=("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        delete="DeleteBucketLifecycle",
        prepare=_lifecycle,
    ),
    BucketSetting(
        "BucketEncryption",
        default={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
        },
        delete="DeleteBucketEncryption",
    ),
    BucketSetting(
        "PublicAccessBlock",
        absent=("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
        default=dict.fromkeys(ALL_BLOCKED, True),
        delete="DeletePublicAccessBlock",
        prepare=_public_access_block,
    ),
    BucketSetting(
        "BucketOwnershipControls",
        absent=("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
        default={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        delete="DeleteBucketOwnershipControls",
    ),
    BucketSetting(
        "BucketWebsite",
        absent=("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
        delete="DeleteBucketWebsite",
    ),
    BucketSetting("BucketLogging", default={}),
    BucketSetting("BucketNotificationConfiguration", default={}, prepare=_notifications),
    BucketSetting("BucketRequestPayment", default={"Payer": "BucketOwner"}),
    BucketSetting("BucketAccelerateConfiguration", default={}),
)


# what no bucket has, because it cannot be put
NEVER_SET = {
    "GetBucketReplication": (
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    "GetObjectLockConfiguration": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
}


def get_nothing(code: str, message: str, request: S3Request) -> Response:
    """Answer the Get operation of a setting that no bucket has."""
    request.require_bucket()
    raise S3Error(code, 404, message, BucketName=request.bucket)


def get_bucket_policy_status(request: S3Request) -> Response:
    """Answer GetBucketPolicyStatus: a policy is public if it allows something to everybody, without a condition."""
    request.require_bucket()
    policy = request.objects.settings.get(request.bucket, "BucketPolicy")
    if policy is None:
        raise S3Error("NoSuchBucketPolicy", 404, "The bucket policy does not exist", BucketName=request.bucket)
    statements: Any = json.loads(policy).get("Statement", [])
    is_public = any(
        isinstance(statement, dict)
        and statement.get("Effect") == "Allow"
        and statement.get("Principal") in EVERYBODY
        and not statement.get("Condition")
        for statement in (statements if isinstance(statements, list) else [statements])
    )
    return xml_response("PolicyStatus", {"IsPublic": is_public})


OPERATIONS: dict[str, Callable[[S3Request], Response]] = {
    **{name: answer for setting in SETTINGS for name, answer in setting.operations.items()},
    **{operation: partial(get_nothing, *absent) for operation, absent in NEVER_SET.items()},
    "GetBucketPolicyStatus": get_bucket_policy_status,
}
