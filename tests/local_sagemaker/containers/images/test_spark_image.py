"""The Spark image: what it requires here, and its entry point; tests/spark runs it with PySpark."""

import importlib.util
import shutil

import pytest

from local_sagemaker.containers.images.errors import UnsupportedImage
from local_sagemaker.containers.images.images import Images
from tests.local_sagemaker.machine import REGISTRY, SCIKIT_LEARN, TIMEOUT, Machine

SPARK = f"{REGISTRY}/sagemaker-spark-processing:3.5-cpu-py312-v1.3"


def install(monkeypatch: pytest.MonkeyPatch, pyspark: bool, java: bool) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if pyspark else None)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/java" if java else None)


@pytest.mark.parametrize(
    ("pyspark", "java", "missing"), [(False, True, "PySpark"), (True, False, "Java"), (False, False, "Java")]
)
def test_the_image_is_rejected_with_what_to_install(
    pyspark: bool, java: bool, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, pyspark, java)
    with pytest.raises(
        UnsupportedImage, match=rf"{SPARK}' requires {missing} .*install Java 17 and the extra \[spark\]"
    ):
        Images().find(SPARK, "processing-job")


def test_the_image_does_not_train(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, pyspark=True, java=True)
    with pytest.raises(UnsupportedImage, match="cannot run on this machine in a training job"):
        Images().find(SPARK, "training-job")


def test_smspark_submit_is_the_entry_point_of_the_image_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Images, "_missing_for_spark", lambda self, runtime: None)
    request = machine.processing("job", "", image=SPARK)
    del request["AppSpecification"]["ContainerEntrypoint"]
    machine.jobs.start("processing-job", request)
    ended = machine.jobs.wait("processing-job", "job", TIMEOUT)
    assert "smspark-submit: error: an application is required" in ended["FailureReason"]
    other = machine.process("other", "import shutil; print(shutil.which('smspark-submit'))", image=SCIKIT_LEARN)
    assert other["ProcessingJobStatus"] == "Completed"
    assert machine.log("other") == ["None"]
