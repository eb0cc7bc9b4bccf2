"""The CloudFormation stacks around the pipelines: storage, roles, builds, promotion, retraining and a dashboard."""
