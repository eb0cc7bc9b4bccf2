"""A project's bucket, set up as notebooks and scripts do it: locked down, versioned, tagged; restored and removed."""

import json

import boto3
from botocore.exceptions import ClientError

BUCKET = "bucket-settings-123456789012"

s3, resource = boto3.client("s3"), boto3.resource("s3")


def error_of(call: str, **request: object) -> str:
    try:
        getattr(s3, call)(Bucket=BUCKET, **request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{call} has succeeded")


# create the bucket unless it exists, as `sagemaker.Session().default_bucket()` does
assert error_of("head_bucket") == "404"
s3.create_bucket(Bucket=BUCKET)
s3.get_waiter("bucket_exists").wait(Bucket=BUCKET)

for call, code in (
    ("get_bucket_policy", "NoSuchBucketPolicy"),
    ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
    ("get_bucket_tagging", "NoSuchTagSet"),
    ("get_bucket_cors", "NoSuchCORSConfiguration"),
):
    assert error_of(call) == code
assert "Status" not in s3.get_bucket_versioning(Bucket=BUCKET)

everything_blocked = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=everything_blocked)
s3.put_bucket_ownership_controls(
    Bucket=BUCKET, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
)
s3.put_bucket_encryption(
    Bucket=BUCKET,
    ServerSideEncryptionConfiguration={
        "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": True}]
    },
)
s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "project", "Value": "churn"}]})
s3.put_bucket_lifecycle_configuration(
    Bucket=BUCKET,
    LifecycleConfiguration={
        "Rules": [
            {
                "ID": "expire-captures",
                "Status": "Enabled",
                "Filter": {"Prefix": "captures/"},
                "Expiration": {"Days": 90},
                "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
            },
        ]
    },
)
tls_only = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(tls_only))
s3.put_bucket_cors(
    Bucket=BUCKET, CORSConfiguration={"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
)

assert s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"] == everything_blocked
assert s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"] == [{"Key": "project", "Value": "churn"}]
assert json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]) == tls_only
assert not s3.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"]
assert s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"][0]["Expiration"] == {"Days": 90}
assert s3.get_bucket_acl(Bucket=BUCKET)["Grants"][0]["Permission"] == "FULL_CONTROL"

# uploads of new data tell a queue
sqs = boto3.client("sqs")
queue = sqs.create_queue(QueueName="bucket-settings")["QueueUrl"]
queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
s3.put_bucket_notification_configuration(
    Bucket=BUCKET,
    NotificationConfiguration={
        "QueueConfigurations": [
            {
                "QueueArn": queue_arn,
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "data/"}]}},
            }
        ]
    },
)

# three versions of a data set, the latest deleted by mistake and restored
bucket = resource.Bucket(BUCKET)
assert resource.BucketVersioning(BUCKET).status == "Enabled"
versions = [
    bucket.put_object(Key="data/train.csv", Body=f"version {number}".encode()).version_id for number in range(3)
]
bucket.Object("data/train.csv").delete()
assert error_of("get_object", Key="data/train.csv") == "NoSuchKey"
(marker,) = s3.list_object_versions(Bucket=BUCKET, Prefix="data/")["DeleteMarkers"]
s3.delete_object(Bucket=BUCKET, Key="data/train.csv", VersionId=marker["VersionId"])
assert bucket.Object("data/train.csv").get()["Body"].read() == b"version 2"
assert resource.ObjectVersion(BUCKET, "data/train.csv", versions[0]).get()["Body"].read() == b"version 0"
assert [one.id for one in bucket.object_versions.filter(Prefix="data/train.csv")] == versions[::-1]

received = []
while len(received) < 4:
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10, MaxNumberOfMessages=10)["Messages"]
    for message in messages:
        received.append(json.loads(message["Body"]))
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
assert received[0]["Event"] == "s3:TestEvent"
objects = [event["Records"][0]["s3"]["object"] for event in received[1:]]
assert [one["versionId"] for one in objects] == versions and {one["key"] for one in objects} == {"data/train.csv"}

# removal, as clean-up cells do it
assert error_of("delete_bucket") == "BucketNotEmpty"
bucket.object_versions.delete()
bucket.delete()
s3.get_waiter("bucket_not_exists").wait(Bucket=BUCKET)
