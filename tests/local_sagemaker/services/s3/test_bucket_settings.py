"""Settings of buckets: what a new one has, what is put is what is got, and deletion."""

import json
from pathlib import Path
from typing import Any

import pytest

from local_sagemaker.data_dir import DataDir
from local_sagemaker.storage.database import Database
from local_sagemaker.storage.objects import ObjectStore
from tests.local_sagemaker.services.s3.test_s3 import S3, code

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}],
}
CORS = {"CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 3000}]}
LIFECYCLE = {
    "Rules": [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 30}},
        {
            "ID": "versions",
            "Status": "Disabled",
            "Filter": {"And": {"Prefix": "", "Tags": [{"Key": "a", "Value": "b"}]}},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
        },
    ]
}
KMS = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/key"}
NONE_BLOCKED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), False
)
WEBSITE = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}


def get(s3: S3, setting: str, bucket: str) -> dict[str, Any]:
    found = getattr(s3, f"get_{setting}")(Bucket=bucket)
    del found["ResponseMetadata"]
    return dict(found)


@pytest.mark.parametrize(
    ("setting", "argument", "document", "deletion", "absent"),
    [
        ("bucket_tagging", "Tagging", {"TagSet": [{"Key": "a", "Value": "<b>"}]}, "bucket_tagging", "NoSuchTagSet"),
        ("bucket_cors", "CORSConfiguration", CORS, "bucket_cors", "NoSuchCORSConfiguration"),
        (
            "bucket_lifecycle_configuration",
            "LifecycleConfiguration",
            LIFECYCLE,
            "bucket_lifecycle",
            "NoSuchLifecycleConfiguration",
        ),
        ("bucket_website", "WebsiteConfiguration", WEBSITE, "bucket_website", "NoSuchWebsiteConfiguration"),
    ],
)
def test_a_setting_is_absent_until_it_is_put_and_after_it_is_deleted(
    setting: str, argument: str, document: dict[str, Any], deletion: str, absent: str, s3: S3, bucket: str
) -> None:
    assert code(lambda: get(s3, setting, bucket)) == absent
    getattr(s3, f"put_{setting}")(Bucket=bucket, **{argument: document})
    assert get(s3, setting, bucket) == document
    getattr(s3, f"delete_{deletion}")(Bucket=bucket)
    assert code(lambda: get(s3, setting, bucket)) == absent


def test_a_new_bucket_has_the_settings_that_aws_gives_it(s3: S3, bucket: str) -> None:
    (rule,) = get(s3, "bucket_encryption", bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    blocked = get(s3, "public_access_block", bucket)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    controls = get(s3, "bucket_ownership_controls", bucket)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert get(s3, "bucket_request_payment", bucket) == {"Payer": "BucketOwner"}
    for empty in ("bucket_versioning", "bucket_logging", "bucket_accelerate_configuration"):
        assert get(s3, empty, bucket) == {}


def test_deleting_the_encryption_restores_the_default_and_deleting_other_defaults_leaves_none(
    s3: S3, bucket: str
) -> None:
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": KMS, "BucketKeyEnabled": True}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    assert get(s3, "bucket_encryption", bucket) == {"ServerSideEncryptionConfiguration": rules}
    s3.delete_bucket_encryption(Bucket=bucket)
    default = get(s3, "bucket_encryption", bucket)["ServerSideEncryptionConfiguration"]
    assert default["Rules"][0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    blocked = get(s3, "public_access_block", bucket)["PublicAccessBlockConfiguration"]
    assert blocked == {**NONE_BLOCKED, "BlockPublicAcls": True}
    s3.delete_public_access_block(Bucket=bucket)
    assert code(lambda: get(s3, "public_access_block", bucket)) == "NoSuchPublicAccessBlockConfiguration"
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert code(lambda: get(s3, "bucket_ownership_controls", bucket)) == "OwnershipControlsNotFoundError"


def test_a_policy_is_returned_as_it_was_put(s3: S3, bucket: str) -> None:
    assert code(lambda: get(s3, "bucket_policy", bucket)) == "NoSuchBucketPolicy"
    assert code(lambda: get(s3, "bucket_policy_status", bucket)) == "NoSuchBucketPolicy"
    assert code(lambda: s3.put_bucket_policy(Bucket=bucket, Policy="{]")) == "MalformedPolicy"
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(POLICY))
    assert json.loads(get(s3, "bucket_policy", bucket)["Policy"]) == POLICY
    assert get(s3, "bucket_policy_status", bucket)["PolicyStatus"] == {"IsPublic": True}
    s3.delete_bucket_policy(Bucket=bucket)
    assert code(lambda: get(s3, "bucket_policy", bucket)) == "NoSuchBucketPolicy"


def test_a_document_that_s3_does_not_know_is_refused(s3: S3, bucket: str) -> None:
    unknown = {"Rules": [{"ID": "a", "Status": "On", "Filter": {"Prefix": ""}}]}
    put = {"Bucket": bucket, "LifecycleConfiguration": unknown}
    assert code(lambda: s3.put_bucket_lifecycle_configuration(**put)) == "MalformedXML"
    twice = {"TagSet": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}
    assert code(lambda: s3.put_bucket_tagging(Bucket=bucket, Tagging=twice)) == "InvalidTag"
    assert code(lambda: get(s3, "bucket_tagging", bucket)) == "NoSuchTagSet"
    assert code(lambda: s3.get_bucket_tagging(Bucket="no-such-bucket")) == "NoSuchBucket"


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ({}, "InvalidRequest"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument"),
        ({"NoncurrentVersionExpiration": {"NoncurrentDays": 0}}, "InvalidArgument"),
        ({"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 0}}, "InvalidArgument"),
    ],
)
def test_a_lifecycle_rule_has_an_action_after_at_least_a_day(
    s3: S3, bucket: str, actions: dict[str, Any], expected: str
) -> None:
    put = {"Bucket": bucket, "LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Filter": {}, **actions}]}}
    assert code(lambda: s3.put_bucket_lifecycle_configuration(**put)) == expected
    assert code(lambda: get(s3, "bucket_lifecycle_configuration", bucket)) == "NoSuchLifecycleConfiguration"


def test_a_rule_without_an_id_gets_one(s3: S3, bucket: str) -> None:
    rule = {"Status": "Enabled", "Filter": {"Prefix": ""}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    (got,) = get(s3, "bucket_lifecycle_configuration", bucket)["Rules"]
    assert got.pop("ID") and got == rule


def test_a_bucket_is_created_with_tags_and_ownership(s3: S3) -> None:
    tags = [{"Key": "team", "Value": "ml"}]
    s3.create_bucket(Bucket="with-tags", ObjectOwnership="ObjectWriter", CreateBucketConfiguration={"Tags": tags})
    assert get(s3, "bucket_tagging", "with-tags") == {"TagSet": tags}
    (rule,) = get(s3, "bucket_ownership_controls", "with-tags")["OwnershipControls"]["Rules"]
    assert rule == {"ObjectOwnership": "ObjectWriter"}


def test_the_access_control_list_gives_the_owner_full_control_and_nobody_else_anything(s3: S3, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"")
    for of, located in (("bucket", {"Bucket": bucket}), ("object", {"Bucket": bucket, "Key": "key"})):
        get_acl, put_acl = getattr(s3, f"get_{of}_acl"), getattr(s3, f"put_{of}_acl")
        (grant,) = get_acl(**located)["Grants"]
        assert (grant["Permission"], grant["Grantee"]["Type"]) == ("FULL_CONTROL", "CanonicalUser")
        put_acl(**located, ACL="private")
        put_acl(**located, AccessControlPolicy={name: get_acl(**located)[name] for name in ("Owner", "Grants")})
        assert code(lambda put=put_acl, of=located: put(**of, ACL="public-read")) == "AccessControlListNotSupported"
        assert code(lambda put=put_acl, of=located: put(**of, GrantRead="id=1")) == "AccessControlListNotSupported"


def test_settings_survive_a_restart_and_go_with_their_bucket(tmp_path: Path) -> None:
    def store() -> ObjectStore:
        data_dir = DataDir(tmp_path)
        return ObjectStore(data_dir, Database(data_dir.database))

    objects = store()
    for bucket in ("kept", "deleted", "removed"):
        objects.create_bucket(bucket)
        objects.settings.put(bucket, "BucketTagging", {"TagSet": []})
    objects.delete_bucket("deleted")
    (tmp_path / "s3" / "removed").rmdir()
    objects = store()
    for bucket in ("deleted", "removed"):
        objects.create_bucket(bucket)
        assert objects.settings.get(bucket, "BucketTagging") is None
    assert objects.settings.get("kept", "BucketTagging") == {"TagSet": []}
