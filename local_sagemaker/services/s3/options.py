"""Which options of S3's operations are implemented; see `local_sagemaker.protocol.options`."""

from local_sagemaker.protocol.options import ALL, Members, Options

NO_EFFECT = {
    "there is one account, which pays for everything": "RequestPayer",
    "no object is locked": "BypassGovernanceRetention",
    "no object is archived or has annotations": "OptionalObjectAttributes AnnotationDirective",
    "data is not encrypted, because it stays on this machine": "SSEKMSEncryptionContext BucketKeyEnabled",
    "parts and objects are checked against every checksum that is sent with them": "ChecksumAlgorithm ChecksumType",
}

OWNER = "ExpectedBucketOwner"
READ_CONDITIONS = "IfMatch IfNoneMatch IfModifiedSince IfUnmodifiedSince"
COPY_CONDITIONS = (
    "CopySourceIfMatch CopySourceIfNoneMatch CopySourceIfModifiedSince CopySourceIfUnmodifiedSince "
    "ExpectedSourceBucketOwner"
)
# recorded and shown
HEADERS = (
    "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Expires Metadata Tagging SSEKMSKeyId"
)
RESPONSE_HEADERS = (
    "ResponseCacheControl ResponseContentDisposition ResponseContentEncoding ResponseContentLanguage "
    "ResponseContentType ResponseExpires"
)
CHECKSUMS = "ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1 ChecksumSHA256 ChecksumSHA512 ChecksumMD5"
BODY = f"Body ContentLength ContentMD5 ChecksumAlgorithm {CHECKSUMS}"

UNKNOWN_CHECKSUMS = "ChecksumXXHASH64 ChecksumXXHASH3 ChecksumXXHASH128"
CUSTOMER_KEY = "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5"
SOURCE_CUSTOMER_KEY = "CopySourceSSECustomerAlgorithm CopySourceSSECustomerKey CopySourceSSECustomerKeyMD5"
GRANTS = "GrantFullControl GrantRead GrantReadACP GrantWriteACP"
LOCKS = (
    "ObjectLockMode ObjectLockRetainUntilDate ObjectLockLegalHoldStatus ObjectLockEventHold "
    "ObjectLockEventHoldDurationDays ObjectLockEventHoldDurationYears"
)
NEW_OBJECT = f"WebsiteRedirectLocation {CUSTOMER_KEY} {GRANTS} {LOCKS}"

# buckets are private, and have no storage classes
NEW_OBJECT_VALUES = {
    "ACL": ("private", "bucket-owner-full-control"),
    "StorageClass": ("STANDARD",),
    "ServerSideEncryption": ("AES256", "aws:kms", "aws:kms:dsse"),
}
# settings of buckets that are recorded with everything in them
RECORDED_SETTINGS = (
    *("BucketTagging", "BucketPolicy", "BucketCors", "BucketLifecycleConfiguration", "BucketEncryption"),
    *("PublicAccessBlock", "BucketOwnershipControls", "BucketWebsite", "BucketLogging", "BucketRequestPayment"),
    "BucketAccelerateConfiguration",
)

SHAPES = {
    # buckets
    "ListBucketsRequest": Members("MaxBuckets ContinuationToken Prefix BucketRegion"),
    "CreateBucketRequest": Members(
        "CreateBucketConfiguration",
        refused=f"{GRANTS} GrantWrite ObjectLockEnabledForBucket",
        only={
            "ACL": ("private",),
            "ObjectOwnership": ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"),
            "BucketNamespace": ("global",),
        },
    ),
    "CreateBucketConfiguration": Members("LocationConstraint Tags", refused="Location Bucket"),
    "ListObjectsRequest": Members(f"{OWNER} Delimiter EncodingType Marker MaxKeys Prefix"),
    "ListObjectsV2Request": Members(
        f"{OWNER} Delimiter EncodingType MaxKeys Prefix ContinuationToken FetchOwner StartAfter"
    ),
    "ListObjectVersionsRequest": Members(f"{OWNER} Delimiter EncodingType KeyMarker MaxKeys Prefix VersionIdMarker"),
    "DeleteObjectsRequest": Members(f"{OWNER} ChecksumAlgorithm", refused="MFA"),
    "Delete": Members("Quiet"),
    "ObjectIdentifier": Members("ETag LastModifiedTime Size VersionId"),
    **{
        f"{operation}Request": Members(OWNER)
        for operation in (
            *("HeadBucket", "DeleteBucket", "GetBucketLocation", "GetBucketPolicyStatus", "GetBucketAcl"),
            *(f"Get{noun}" for noun in RECORDED_SETTINGS),
            *("GetBucketVersioning", "GetBucketReplication", "GetObjectLockConfiguration"),
            *("DeleteBucketCors", "DeleteBucketEncryption", "DeleteBucketLifecycle", "DeleteBucketOwnershipControls"),
            *("DeleteBucketPolicy", "DeleteBucketTagging", "DeleteBucketWebsite", "DeletePublicAccessBlock"),
        )
    },
    **{f"Put{noun}Request": Members(ALL) for noun in RECORDED_SETTINGS},
    "PutBucketVersioningRequest": Members(f"{OWNER} ContentMD5", refused="MFA"),
    "GetBucketNotificationConfigurationRequest": Members(OWNER),
    # destinations are always checked
    "PutBucketNotificationConfigurationRequest": Members(OWNER, only={"SkipDestinationValidation": (False,)}),
    "NotificationConfiguration": Members(ALL),
    "VersioningConfiguration": Members("Status", only={"MFADelete": ("Disabled",)}),
    # objects
    "PutObjectRequest": Members(
        f"{OWNER} {BODY} {HEADERS} IfMatch IfNoneMatch",
        refused=f"{NEW_OBJECT} {UNKNOWN_CHECKSUMS} WriteOffsetBytes",
        only=NEW_OBJECT_VALUES,
    ),
    "GetObjectRequest": Members(
        f"{OWNER} {READ_CONDITIONS} {RESPONSE_HEADERS} Range PartNumber ChecksumMode VersionId",
        refused=CUSTOMER_KEY,
    ),
    "HeadObjectRequest": Members(
        f"{OWNER} {READ_CONDITIONS} {RESPONSE_HEADERS} Range PartNumber ChecksumMode VersionId",
        refused=CUSTOMER_KEY,
    ),
    "DeleteObjectRequest": Members(f"{OWNER} IfMatch IfMatchLastModifiedTime IfMatchSize VersionId", refused="MFA"),
    "CopyObjectRequest": Members(
        f"{OWNER} {HEADERS} {COPY_CONDITIONS} IfMatch IfNoneMatch MetadataDirective TaggingDirective ChecksumAlgorithm",
        refused=f"{NEW_OBJECT} {SOURCE_CUSTOMER_KEY}",
        only=NEW_OBJECT_VALUES,
    ),
    "GetObjectAttributesRequest": Members(f"{OWNER} VersionId MaxParts PartNumberMarker", refused=CUSTOMER_KEY),
    "GetObjectTaggingRequest": Members(f"{OWNER} VersionId"),
    "PutObjectTaggingRequest": Members(f"{OWNER} ContentMD5 ChecksumAlgorithm VersionId"),
    "DeleteObjectTaggingRequest": Members(f"{OWNER} VersionId"),
    # multipart uploads
    "CreateMultipartUploadRequest": Members(f"{OWNER} {HEADERS}", refused=NEW_OBJECT, only=NEW_OBJECT_VALUES),
    "UploadPartRequest": Members(f"{OWNER} {BODY}", refused=f"{CUSTOMER_KEY} {UNKNOWN_CHECKSUMS}"),
    "UploadPartCopyRequest": Members(
        f"{OWNER} {COPY_CONDITIONS} CopySourceRange", refused=f"{CUSTOMER_KEY} {SOURCE_CUSTOMER_KEY}"
    ),
    "CompleteMultipartUploadRequest": Members(
        f"{OWNER} {CHECKSUMS} ChecksumType MpuObjectSize MultipartUpload IfMatch IfNoneMatch",
        refused=f"{CUSTOMER_KEY} {UNKNOWN_CHECKSUMS}",
    ),
    "CompletedMultipartUpload": Members("Parts"),
    "CompletedPart": Members(f"ETag PartNumber {CHECKSUMS}", refused=UNKNOWN_CHECKSUMS),
    # access control lists
    "PutBucketAclRequest": Members(ALL),
    "PutObjectAclRequest": Members(ALL),
    "GetObjectAclRequest": Members(f"{OWNER} VersionId"),
    "AbortMultipartUploadRequest": Members(f"{OWNER} IfMatchInitiatedTime"),
    "ListPartsRequest": Members(f"{OWNER} MaxParts PartNumberMarker", refused=CUSTOMER_KEY),
    "ListMultipartUploadsRequest": Members(
        f"{OWNER} Delimiter EncodingType KeyMarker MaxUploads Prefix UploadIdMarker"
    ),
}

OPTIONS = Options("s3", SHAPES, NO_EFFECT)
