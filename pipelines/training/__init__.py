"""The definition of the training pipeline."""

import pipelines.sdk  # noqa: F401 - prepares the SDK before other modules import it
