"""The settings of a project: one YAML file, validated before anything is built or sent.

A minimal file names the project, the problem type, the data and the required quality:

    name: churn
    problem_type: BinaryClassification
    data:
      input: data.csv            # a path relative to this file, or an s3:// URI
      target_column: churned
    quality:
      metric: auc
      threshold: 0.85

All other settings have defaults. The descriptions of the fields are the source of the settings reference.
"""

from __future__ import annotations

from project.settings.attribution import AttributionSettings
from project.settings.deployment import DeploymentSettings, UpdateSettings
from project.settings.fairness import FairnessSettings
from project.settings.monitoring import ANALYSES, AnalysisName, MonitoringSettings
from project.settings.platform import ImageSettings
from project.settings.project import Settings
from project.settings.quality import LOWER_IS_BETTER, METRICS, OTHER_METRICS, Gate
from project.settings.reading import load_settings
from project.settings.resources import ResourceSettings
from project.settings.section import ProblemType
from project.settings.tracking import TrackingSettings
from project.settings.training import TrainingSettings
from project.settings.training_metrics import TRAINING_METRICS
from project.settings.tuning import TuningSettings
from project.settings.tuning_ranges import NumberRange

__all__ = [
    "ANALYSES",
    "LOWER_IS_BETTER",
    "METRICS",
    "OTHER_METRICS",
    "TRAINING_METRICS",
    "AnalysisName",
    "AttributionSettings",
    "DeploymentSettings",
    "FairnessSettings",
    "Gate",
    "ImageSettings",
    "MonitoringSettings",
    "NumberRange",
    "ProblemType",
    "ResourceSettings",
    "Settings",
    "TrackingSettings",
    "TrainingSettings",
    "TuningSettings",
    "UpdateSettings",
    "load_settings",
]
