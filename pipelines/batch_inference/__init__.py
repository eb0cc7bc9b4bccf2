"""The batch-inference pipeline's definition."""

import pipelines.sdk  # noqa: F401 - prepares the SDK, before the modules here import it
