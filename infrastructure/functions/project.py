"""The project that functions work for: its settings travel with the code, where it works is in the environment."""

from __future__ import annotations

import os
from pathlib import Path

from deployment.deploy import choose_variants
from deployment.plan import Plan, plan_endpoint
from project.settings import Settings, load_settings
from project.target import Target

SETTINGS_FILE = "settings.yaml"
# on an endpoint: the version that is being deployed to it, until that has come to its end
DEPLOYING_TAG = "lightgbm-pipelines:deploying"


def project() -> tuple[Settings, Target]:
    role = os.environ["ENDPOINT_ROLE_ARN"]
    target = Target(role, os.environ["BUCKET"], os.environ["AWS_REGION"])
    return load_settings(Path(os.environ["LAMBDA_TASK_ROOT"]) / SETTINGS_FILE), target


def endpoint_name(settings: Settings) -> str:
    return f"{settings.name}-{os.environ['STAGE']}"


def plan_version(settings: Settings, target: Target, version: int) -> Plan:
    """The plan by which an approved version comes to the stage's endpoint.

    Raises:
        UserError: there is no such version, or it is not approved.
    """
    variants = choose_variants(settings, target, version, None, 0)
    return plan_endpoint(settings, target, endpoint_name(settings), "real-time", variants)
