"""The sections `images`, `security`, `cache` and `retry`: how every job runs."""

from __future__ import annotations

from pydantic import Field, model_validator

from project.settings.section import Section


class ImageSettings(Section):
    """Container images; an image URI replaces SageMaker's scikit-learn or Spark image."""

    scikit_learn_version: str = Field(default="1.9-0", description="Version of SageMaker's scikit-learn image.")
    processing: str | None = Field(default=None, description="Image URI for processing jobs.")
    spark: str | None = Field(
        default=None,
        description="Image URI for PySpark steps, with Python 3.11 or newer; it is run by `smspark-submit`.",
    )
    training: str | None = Field(default=None, description="Image URI for the training job.")
    inference: str | None = Field(default=None, description="Image URI for endpoints and batch transform.")


class SecuritySettings(Section):
    """Encryption and network of all jobs and endpoints.

    Containers in an isolated network cannot install LightGBM: set `images` to images that contain it.
    """

    kms_key: str | None = Field(
        default=None, description="KMS key for objects in S3 and for storage volumes; by default S3's own encryption."
    )
    subnets: tuple[str, ...] = Field(default=(), description="VPC subnets of jobs and endpoints.")
    security_group_ids: tuple[str, ...] = Field(default=(), description="VPC security groups; required with subnets.")
    network_isolation: bool = Field(default=False, description="Run containers without network access.")
    encrypt_inter_container_traffic: bool = Field(
        default=False, description="Encrypt traffic between the instances of a job."
    )

    @property
    def object_encryption(self) -> dict[str, str]:
        """Encryption arguments for S3's PutObject and for uploads."""
        return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.kms_key} if self.kms_key else {}

    @model_validator(mode="after")
    def _consistent(self) -> SecuritySettings:
        if bool(self.subnets) != bool(self.security_group_ids):
            raise ValueError("subnets and security_group_ids go together; set both or neither")
        return self


class CacheSettings(Section):
    """Reuse of the results of earlier executions."""

    enabled: bool = Field(
        default=True, description="Reuse the result of a step with unchanged code, inputs and arguments."
    )
    expire_after: str = Field(
        default="P30D",
        pattern=r"^P((\d+[YMWD])+(T(\d+[HM])+)?|T(\d+[HM])+)$",
        description="Age, as an ISO 8601 duration, from which results are not reused.",
    )


class RetrySettings(Section):
    """Retries after throttling and internal errors of the service."""

    max_attempts: int = Field(default=3, ge=1, le=20, description="Maximum number of retries.")
    interval_seconds: int = Field(default=10, ge=1, le=3600, description="Seconds before the first retry.")
    backoff_rate: float = Field(
        default=2.0, ge=1, le=10, description="Factor by which the interval grows with every retry."
    )
