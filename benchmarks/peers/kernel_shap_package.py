"""The package shap: its KernelExplainer, without the selection of ten features, which is its default."""

import time

STARTED = time.perf_counter()

import sys  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import shap  # noqa: E402
from kernel_cases import measure  # noqa: E402

warnings.simplefilter("ignore")


def explain(model, baseline, records, samples):
    np.random.seed(1)
    explainer = shap.KernelExplainer(model, baseline)
    return explainer.shap_values(records, nsamples=samples or "auto", l1_reg=False, silent=True)


measure(explain, Path(sys.argv[1]), STARTED)
