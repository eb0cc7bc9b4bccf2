"""The resource types of CloudFormation that are not moto's, by service."""

from local_sagemaker.services.cloudformation.lambda_resources import LAMBDA_TYPES
from local_sagemaker.services.cloudformation.moto_resources import MOTO_TYPES
from local_sagemaker.services.cloudformation.s3_resources import S3_TYPES
from local_sagemaker.services.cloudformation.sagemaker_resources import SAGEMAKER_TYPES

RESOURCE_TYPES = (*LAMBDA_TYPES, *S3_TYPES, *SAGEMAKER_TYPES, *MOTO_TYPES)
