"""The definition of the batch-inference pipeline."""

import pipelines.sdk  # noqa: F401 - prepares the SDK before other modules import it
