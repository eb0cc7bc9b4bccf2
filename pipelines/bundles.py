"""Code bundles: the code of a container, under S3 keys that contain the hash of the content.

The hash covers only relative paths and bytes. Two clones of a commit have the same keys, an unchanged repository has
the same definition, and a changed script changes only the steps that run it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.clarify_configs import CONFIG, clarify_configs
from project.paths import REPOSITORY
from project.s3_uris import split_s3_uri

if TYPE_CHECKING:
    # in the environment of the Spark tests, there is no pydantic
    from project.settings import Settings

# The files of the analyzer that say what a value is, for training and serving.
VALUES = ("__init__.py", "datetimes.py", "user_features.py", "values.py", "value_formats.py", "arrow_values.py")
# The files of the analyzer that evaluate.py imports or reads.
EVALUATE_SHARES = (
    "__init__.py",
    "values.py",
    "bias/*.py",
    "datasets/__init__.py",
    "datasets/conversion.py",
    "performance/__init__.py",
    "performance/metrics/*.py",
    "reports/__init__.py",
    "reports/html.py",
    "reports/templates/page.css",
)


QUALITY_CHECK = ("quality_check.py", "model_registry.py")
CLARIFY_CHECK = ("clarify_check.py", *QUALITY_CHECK, "job_files.py")


@dataclass(frozen=True)
class Bundle:
    """The files of a container's code folder.

    Attributes:
        files: Contents by path relative to the folder.
        archive: Whether the files are uploaded as one `sourcedir.tar.gz` (script mode) or one by one (an input of a
            processing job).
    """

    name: str
    files: Mapping[str, bytes]
    archive: bool = False

    @property
    def digest(self) -> str:
        """The hash of the content: 16 hexadecimal characters."""
        content = hashlib.sha256()
        for path, data in sorted(self.files.items()):
            content.update(f"{path}\0{len(data)}\0".encode())
            content.update(data)
        return content.hexdigest()[:16]

    def uri(self, code_uri: str) -> str:
        """Return the S3 URI below `code_uri`: a prefix, or the URI of the archive."""
        folder = f"{code_uri}/{self.name}-{self.digest}"
        return f"{folder}/sourcedir.tar.gz" if self.archive else folder

    def objects(self, code_uri: str) -> Iterator[tuple[str, bytes]]:
        """Yield URI and content of the objects to upload."""
        if self.archive:
            yield self.uri(code_uri), _tar_gz(self.files)
        else:
            for path, data in sorted(self.files.items()):
                yield f"{self.uri(code_uri)}/{path}", data


def preprocess_bundle(settings: Settings) -> Bundle:
    """Return the script that prepares the data, with the settings that it does not get as arguments."""
    script = _processing_script("preprocess.py", "preprocessing") | _installing("requirements-preprocess.txt")
    return Bundle("preprocess", _read(script | _of_analyzer(VALUES)) | _data_settings(settings))


def preprocess_spark_bundle(settings: Settings) -> Bundle:
    """Return the PySpark step of the same checks and splits."""
    steps = _script("preprocess.py", "preprocessing", "processing_scripts")
    files = steps | _script("preprocess_spark.py", "preprocessing_spark", "processing_scripts")
    code = _read(files | _spark_job() | _of_analyzer(VALUES))
    return Bundle("preprocess-spark", code | _data_settings(settings))


def train_bundle(settings: Settings) -> Bundle:
    """Return the training script, with the inference code that it adds to the model archive."""
    files = {
        "requirements.txt": "training_scripts/requirements.txt",
        "inference/requirements.txt": "inference/requirements.txt",
    }
    served = {f"inference/{path.name}": f"inference/{path.name}" for path in (REPOSITORY / "inference").glob("*.py")}
    served |= {f"inference/{path}": path for path in _of_analyzer(VALUES)}
    code = _read(_script("train.py", "training", "training_scripts") | files | served)
    return Bundle("train", code | _user_features(settings, "inference/user_features.py"), archive=True)


def evaluate_bundle(settings: Settings) -> Bundle:
    """Return the evaluation script, with what it shares with the analyzer, and with the required quality."""
    script = _processing_script("evaluate.py", "evaluation") | _installing("requirements.txt")
    quality = {"quality.json": _json(settings.for_evaluation)}
    return Bundle("evaluate", _read(script | _of_analyzer(EVALUATE_SHARES)) | quality)


def find_model_package_bundle() -> Bundle:
    return Bundle(
        "find-model-package",
        _read({name: f"processing_scripts/{name}" for name in ("find_model_package.py", "job_files.py")}),
    )


def find_champion_bundle() -> Bundle:
    names = ("find_champion.py", "model_registry.py", "job_files.py")
    return Bundle("find-champion", _read({name: f"processing_scripts/{name}" for name in names}))


def track_bundle() -> Bundle:
    """Return the script that logs an execution as an MLflow run, with MLflow's client as its requirements."""
    files = {"requirements.txt": "processing_scripts/requirements-track.txt"}
    files |= {"run_optional.sh": "processing_scripts/run_optional.sh"}
    return Bundle("track", _read(_processing_script("track.py", "tracking") | files))


def quality_check_bundle() -> Bundle:
    """Return the analyzer for the Processing jobs that replace QualityCheck steps."""
    files = {name: f"processing_scripts/{name}" for name in QUALITY_CHECK}
    return Bundle("quality-check", _read(_analyzer() | files))


def quality_check_spark_bundle() -> Bundle:
    """Return the analyzer for the PySpark step of the data quality baseline."""
    files = {name: f"processing_scripts/{name}" for name in ("quality_check_spark.py", *QUALITY_CHECK)}
    return Bundle("quality-check-spark", _read(files | _spark_job() | _of_analyzer(["**/*.*"])))


def clarify_check_bundle() -> Bundle:
    """Return the analyzer for the Processing jobs that replace ClarifyCheck steps."""
    files = {name: f"processing_scripts/{name}" for name in CLARIFY_CHECK}
    return Bundle("clarify-check", _read(_analyzer("requirements-clarify.txt") | files))


def clarify_configs_bundle(settings: Settings) -> Bundle:
    """Return the analysis configurations of the Clarify steps, each in a folder of its own."""
    configs = clarify_configs(settings)
    return Bundle("clarify-configs", {f"{kind}/{CONFIG}": _json(config) for kind, config in configs.items()})


def monitor_bundle(settings: Settings) -> Bundle:
    """Return the analyzer for the captured data of an endpoint; SHAP values need the model's library, too."""
    needs_model = "attribution" in settings.monitoring.analyses
    analyzer = _analyzer("requirements-clarify.txt") if needs_model else _analyzer()
    return Bundle("monitor", _read(analyzer | _processing_script("monitor.py", "window")))


def all_bundles(settings: Settings) -> tuple[Bundle, ...]:
    return (
        preprocess_bundle(settings),
        preprocess_spark_bundle(settings),
        train_bundle(settings),
        evaluate_bundle(settings),
        find_model_package_bundle(),
        find_champion_bundle(),
        track_bundle(),
        quality_check_bundle(),
        quality_check_spark_bundle(),
        clarify_check_bundle(),
        clarify_configs_bundle(settings),
        monitor_bundle(settings),
    )


def upload_bundles(bundles: Iterable[Bundle], code_uri: str, s3: Any, encryption: Mapping[str, str]) -> None:
    """Upload bundles to the keys that definitions refer to.

    Args:
        bundles: Bundles to upload; existing objects are overwritten with the same bytes.
        code_uri: S3 prefix of all bundles.
        s3: Boto3 client.
        encryption: Encryption arguments for PutObject.
    """
    for bundle in bundles:
        for uri, data in bundle.objects(code_uri):
            bucket, key = split_s3_uri(uri)
            s3.put_object(Bucket=bucket, Key=key, Body=data, **encryption)


def _data_settings(settings: Settings) -> dict[str, bytes]:
    """Return data.json, unless its settings have their defaults, and the user's features.py.

    SageMaker accepts 100 arguments of 256 characters, which settings with a structure could exceed.
    """
    content = settings.data.structured
    files = {"data.json": _json(content)} if content else {}
    return files | _user_features(settings, "features.py")


def _user_features(settings: Settings, path: str) -> dict[str, bytes]:
    """Return the user's features.py under a path of the bundle, if there is one."""
    file = settings.data.features
    return {} if file is None else {path: Path(file).read_bytes().replace(b"\r\n", b"\n")}


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _analyzer(requirements: str = "requirements-quality.txt") -> dict[str, str]:
    """Return the analyzer, with its requirements and the script that installs them in a Processing job."""
    return _installing(requirements) | _of_analyzer(["**/*.*"])


def _installing(requirements: str) -> dict[str, str]:
    """Return the requirements of a Processing job, and the script that installs them before it runs the job's own."""
    return {"requirements.txt": f"processing_scripts/{requirements}", "run.sh": "processing_scripts/run.sh"}


def _spark_job() -> dict[str, str]:
    """Return what all PySpark steps share, with their requirements and the script that installs them."""
    files = {name: f"processing_scripts/{name}" for name in ("spark_job.py", "job_files.py", "run_spark.sh")}
    return files | {"requirements.txt": "processing_scripts/requirements-spark.txt"}


def _of_analyzer(patterns: Iterable[str]) -> dict[str, str]:
    """Return files of the analyzer, by their path in the repository."""
    found = (path for pattern in patterns for path in (REPOSITORY / "analyzer").glob(pattern))
    return {path: path for path in (path.relative_to(REPOSITORY).as_posix() for path in found if path.suffix != ".pyc")}


def _processing_script(name: str, package: str) -> dict[str, str]:
    """Return a processing script, its package and the modules that processing scripts share."""
    return _script(name, package, "processing_scripts") | {"job_files.py": "processing_scripts/job_files.py"}


def _script(name: str, package: str, folder: str) -> dict[str, str]:
    """Return a script and the package of its modules."""
    modules = (REPOSITORY / folder / package).rglob("*.py")
    paths = [name, *(path.relative_to(REPOSITORY / folder).as_posix() for path in modules)]
    return {path: f"{folder}/{path}" for path in paths}


def _read(files: Mapping[str, str]) -> dict[str, bytes]:
    # a checkout on Windows may have CRLF line endings; containers and the hash need the bytes that are in git
    return {path: (REPOSITORY / source).read_bytes().replace(b"\r\n", b"\n") for path, source in files.items()}


def _tar_gz(files: Mapping[str, bytes]) -> bytes:
    """Return a tar.gz whose bytes depend only on the files: no times, no owners, no file name in the gzip header."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, data in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            member.mode = 0o644
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()
