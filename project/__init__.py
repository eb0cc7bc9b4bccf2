"""Basics that every command needs: settings, target, errors, S3 URIs, the model registry and the commands' frame."""
