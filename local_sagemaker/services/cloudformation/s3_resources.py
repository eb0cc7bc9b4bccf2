"""Buckets, and their policies, as resources of stacks."""

from __future__ import annotations

from local_sagemaker.account import REGION
from local_sagemaker.protocol.errors import ServiceError
from local_sagemaker.services.cloudformation.resource_type import Backends, ResourceType
from local_sagemaker.storage.objects import BadName
from local_sagemaker.storage.records import Record

# settings of buckets whose documents are the same in templates and in requests, by property
_SETTINGS = {
    "OwnershipControls": "BucketOwnershipControls",
    "PublicAccessBlockConfiguration": "PublicAccessBlock",
    "VersioningConfiguration": "BucketVersioning",
}


def _bucket_exists(backends: Backends, name: str, properties: Record) -> bool:
    try:
        return backends.objects.has_bucket(name)
    except BadName:
        return False


def _create_bucket(backends: Backends, name: str, properties: Record) -> None:
    try:
        backends.objects.create_bucket(name)
    except BadName as error:
        raise ServiceError("ValidationError", str(error)) from error
    _put_settings(backends, name, properties)


def _update_bucket(backends: Backends, name: str, properties: Record, previous: Record) -> None:
    _put_settings(backends, name, properties)
    if "VersioningConfiguration" in previous and "VersioningConfiguration" not in properties:
        backends.objects.settings.put(name, "BucketVersioning", {"Status": "Suspended"})


def _put_settings(backends: Backends, name: str, properties: Record) -> None:
    for member, setting in _SETTINGS.items():
        if member in properties:
            backends.objects.settings.put(name, setting, properties[member])
    if "Tags" in properties:
        backends.objects.settings.put(name, "BucketTagging", {"TagSet": properties["Tags"]})


def _nothing_to_update(backends: Backends, name: str, properties: Record, previous: Record) -> None:
    """Do nothing: the policy is not kept."""


def _delete_bucket(backends: Backends, name: str, properties: Record) -> None:
    if not backends.objects.delete_bucket(name):
        raise ServiceError("ValidationError", f"The bucket {name} you tried to delete is not empty")


def _bucket_attributes(name: str, properties: Record) -> Record:
    domain = f"{name}.s3.amazonaws.com"
    regional = f"{name}.s3.{REGION}.amazonaws.com"
    return {"Ref": name, "Arn": f"arn:aws:s3:::{name}", "DomainName": domain, "RegionalDomainName": regional}


def _nothing_to_delete(backends: Backends, name: str, properties: Record) -> None:
    """Do nothing: the policy is not kept."""


def _check_bucket(backends: Backends, name: str, properties: Record) -> None:
    if not _bucket_exists(backends, properties["Bucket"], properties):
        raise ServiceError("ValidationError", f"The specified bucket does not exist: {properties['Bucket']}")


S3_TYPES = (
    ResourceType(
        name="AWS::S3::Bucket",
        name_property="BucketName",
        properties=frozenset(("BucketName", "Tags", *_SETTINGS)),
        # what protects and removes data on AWS; on this machine, buckets are folders of the user's own
        without_effect=frozenset(("BucketEncryption", "LifecycleConfiguration")),
        exists=_bucket_exists,
        create=_create_bucket,
        update=_update_bucket,
        delete=_delete_bucket,
        attributes=_bucket_attributes,
        persistent=True,
    ),
    ResourceType(
        name="AWS::S3::BucketPolicy",
        name_property="Id",
        properties=frozenset(("Bucket",)),
        # nobody but the user has access to this machine's buckets
        without_effect=frozenset(("PolicyDocument",)),
        required=("Bucket", "PolicyDocument"),
        replacing=frozenset(("Bucket",)),
        create=_check_bucket,
        update=_nothing_to_update,
        delete=_nothing_to_delete,
        attributes=lambda _, properties: {"Ref": properties["Bucket"]},
        persistent=True,
    ),
)
