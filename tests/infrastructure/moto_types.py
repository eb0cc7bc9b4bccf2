"""Resource types that moto's CloudFormation does not have, so that the templates can be deployed.

Resources are not created; their resolved properties are stored for tests to check.
"""

from __future__ import annotations

from typing import Any

from moto.core.common_models import CloudFormationModel

Record = dict[str, Any]

# by type: the property that Ref returns, and the service and path of the ARN
_TYPES = {
    "AWS::CloudWatch::Alarm": ("AlarmName", "cloudwatch", "alarm:{name}"),
    "AWS::CodeBuild::Project": ("Name", "codebuild", "project/{name}"),
    "AWS::CodePipeline::Pipeline": ("Name", "codepipeline", "{name}"),
    "AWS::IAM::OIDCProvider": ("Url", "iam", "oidc-provider/{name}"),
    "AWS::Scheduler::Schedule": ("Name", "scheduler", "schedule/default/{name}"),
    "AWS::SNS::Subscription": ("TopicArn", "sns", "{name}:1"),
    "AWS::SNS::TopicPolicy": ("PolicyName", "sns", "{name}"),
    "AWS::S3::BucketPolicy": ("Bucket", "s3", "{name}"),
}

# properties by type and name
kept: dict[tuple[str, str], Record] = {}


class _Kept(CloudFormationModel):
    def __init__(self, name: str, arn: str) -> None:
        self.physical_resource_id = name
        self.arn = arn

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        assert attribute_name == "Arn"
        return self.arn


def _of_type(type_name: str, name_property: str, service: str, path: str) -> type[CloudFormationModel]:
    def create(resource_name: str, cloudformation_json: Record, account_id: str, region_name: str, **_: Any) -> _Kept:
        properties = cloudformation_json["Properties"]
        name = str(properties.get(name_property, resource_name))
        kept[type_name, name] = properties
        return _Kept(name, f"arn:aws:{service}:{region_name}:{account_id}:{path.format(name=name)}")

    def update(original: _Kept, new_name: str, cloudformation_json: Record, account_id: str, region_name: str) -> _Kept:
        return create(new_name, cloudformation_json, account_id, region_name)

    def delete(resource_name: str, cloudformation_json: Record, account_id: str, region_name: str) -> None:
        kept.pop((type_name, resource_name), None)

    return type(
        type_name.replace("::", ""),
        (CloudFormationModel,),
        {
            "cloudformation_name_type": staticmethod(lambda: name_property),
            "cloudformation_type": staticmethod(lambda: type_name),
            "create_from_cloudformation_json": staticmethod(create),
            "update_from_cloudformation_json": staticmethod(update),
            "delete_from_cloudformation_json": staticmethod(delete),
            "has_cfn_attr": classmethod(lambda cls, attr: attr == "Arn"),
        },
    )


# moto looks up subclasses of CloudFormationModel, which need a reference to stay alive
TYPES = [_of_type(type_name, *rest) for type_name, rest in _TYPES.items()]
