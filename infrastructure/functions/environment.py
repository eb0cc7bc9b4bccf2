"""The project of the functions: settings from the deployment package, the target from environment variables."""

from __future__ import annotations

import os
from pathlib import Path

from deployment.deploy import choose_variants
from deployment.plan import Plan, plan_endpoint
from project.settings import Settings, load_settings
from project.target import Target

SETTINGS_FILE = "settings.yaml"
# tag of an endpoint: the version that is being deployed, until the deployment ends
DEPLOYING_TAG = "lightgbm-pipelines:deploying"


def load_project() -> tuple[Settings, Target]:
    role = os.environ["ENDPOINT_ROLE_ARN"]
    target = Target(role, os.environ["BUCKET"], os.environ["AWS_REGION"])
    return load_settings(Path(os.environ["LAMBDA_TASK_ROOT"]) / SETTINGS_FILE), target


def endpoint_name(settings: Settings) -> str:
    return f"{settings.name}-{os.environ['STAGE']}"


def plan_version(settings: Settings, target: Target, version: int) -> Plan:
    """Plan the deployment of an approved version to the endpoint of the stage.

    Raises:
        UserError: The version does not exist or is not approved.
    """
    variants = choose_variants(settings, target, version, None, 0)
    return plan_endpoint(settings, target, endpoint_name(settings), "real-time", variants)
