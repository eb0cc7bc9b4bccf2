"""The training pipeline's definition. Importing this package prepares the SDK for building definitions offline."""

import logging
import os
import warnings

from pipelines.training.offline import offline_defaults

# Otherwise building a step asks IAM whether the role may do everything that a step could need. A definition is a pure
# function of repo and settings; the service itself checks the role when it runs.
os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"

# importing the SDK also sets the root logger to INFO, with a handler
_root = logging.getLogger()
_handlers, _level = list(_root.handlers), _root.level
with offline_defaults():
    import sagemaker.mlops.workflow.pipeline  # noqa: F401
    from sagemaker.core.config.config_manager import SageMakerConfig
_root.handlers[:] = _handlers
_root.setLevel(_level)

# The SDK checks its defaults config against a JSON schema at each of some 80 look-ups, four of the five seconds that a
# definition would take. Ours is a constant, see `pipeline._offline_session`.
SageMakerConfig.validate_sagemaker_config = staticmethod(lambda sagemaker_config=None: None)

# What the SDK says while it builds a definition ("Popping out 'ProcessingJobName' ...") is nothing a user could act on.
for _name in ("sagemaker", "sagemaker.config", "sagemaker.core.utils.utils"):
    logging.getLogger(_name).setLevel(logging.ERROR)
warnings.filterwarnings("ignore", message="Running within a PipelineSession")
