"""The table of step types: a module and a row for each type. No other module lists them."""

from local_sagemaker.executions.steps.baseline_checks import ClarifyCheck, QualityCheck
from local_sagemaker.executions.steps.callback import Callback
from local_sagemaker.executions.steps.condition import Condition
from local_sagemaker.executions.steps.endpoint import Endpoint
from local_sagemaker.executions.steps.endpoint_config import EndpointConfig
from local_sagemaker.executions.steps.fail import Fail
from local_sagemaker.executions.steps.lambda_function import Lambda
from local_sagemaker.executions.steps.model import Model
from local_sagemaker.executions.steps.processing import Processing
from local_sagemaker.executions.steps.register_model import RegisterModel
from local_sagemaker.executions.steps.step_type import StepType
from local_sagemaker.executions.steps.training import Training
from local_sagemaker.executions.steps.transform import Transform
from local_sagemaker.executions.steps.tuning import Tuning

STEP_TYPES: dict[str, StepType] = {
    "Callback": Callback(),
    "ClarifyCheck": ClarifyCheck(),
    "Condition": Condition(),
    "Endpoint": Endpoint(),
    "EndpointConfig": EndpointConfig(),
    "Fail": Fail(),
    "Lambda": Lambda(),
    "Model": Model(),
    "Processing": Processing(),
    "QualityCheck": QualityCheck(),
    "RegisterModel": RegisterModel(),
    "Training": Training(),
    "Transform": Transform(),
    "Tuning": Tuning(),
}
