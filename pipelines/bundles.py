"""Code bundles: what a container runs, under S3 keys named by the hash of the content.

The hash is over relative paths and bytes alone, so two clones of one commit give the same keys, an unchanged repo gives
the same definition, and a changed script changes the steps that run it and no others.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from project.paths import REPOSITORY
from project.s3_uris import split_s3_uri

# The files of the analyzer that evaluate.py imports or reads.
EVALUATE_SHARES = (
    "__init__.py",
    "performance/__init__.py",
    "performance/metrics/*.py",
    "reports/__init__.py",
    "reports/html.py",
    "reports/templates/page.css",
)


@dataclass(frozen=True)
class Bundle:
    """Files that a container finds in one folder.

    files: bytes by path relative to that folder.
    archive: whether they travel as one `sourcedir.tar.gz` (script mode) or as they are (a processing input).
    """

    name: str
    files: Mapping[str, bytes]
    archive: bool = False

    @property
    def digest(self) -> str:
        """Hexadecimal, 16 characters."""
        content = hashlib.sha256()
        for path, data in sorted(self.files.items()):
            content.update(f"{path}\0{len(data)}\0".encode())
            content.update(data)
        return content.hexdigest()[:16]

    def uri(self, code_uri: str) -> str:
        """Where the bundle lies below `code_uri`: a prefix, or the archive's own URI."""
        folder = f"{code_uri}/{self.name}-{self.digest}"
        return f"{folder}/sourcedir.tar.gz" if self.archive else folder

    def objects(self, code_uri: str) -> Iterator[tuple[str, bytes]]:
        """The objects to upload, as pairs of URI and content."""
        if self.archive:
            yield self.uri(code_uri), _tar_gz(self.files)
        else:
            for path, data in sorted(self.files.items()):
                yield f"{self.uri(code_uri)}/{path}", data


def preprocess_bundle() -> Bundle:
    return Bundle("preprocess", _read(_processing_script("preprocess.py", "preprocessing")))


def train_bundle() -> Bundle:
    """The training script with the inference code that it puts into the model archive."""
    files = {
        "requirements.txt": "training_scripts/requirements.txt",
        "inference/requirements.txt": "inference/requirements.txt",
    }
    served = {f"inference/{path.name}": f"inference/{path.name}" for path in (REPOSITORY / "inference").glob("*.py")}
    return Bundle("train", _read(_script("train.py", "training", "training_scripts") | files | served), archive=True)


def evaluate_bundle() -> Bundle:
    """The evaluation script with the analyzer's metrics and its page frame, which monitoring uses too."""
    files = {
        "requirements.txt": "processing_scripts/requirements.txt",
        "run.sh": "processing_scripts/run.sh",
    }
    found = (path for pattern in EVALUATE_SHARES for path in (REPOSITORY / "analyzer").glob(pattern))
    shared = [path.relative_to(REPOSITORY).as_posix() for path in found]
    return Bundle(
        "evaluate", _read(_processing_script("evaluate.py", "evaluation") | files | {path: path for path in shared})
    )


def quality_check_bundle() -> Bundle:
    """The quality analyzer, for Processing jobs in place of QualityCheck steps."""
    return Bundle("quality-check", _read(_analyzer() | {"quality_check.py": "processing_scripts/quality_check.py"}))


def monitor_bundle() -> Bundle:
    """The quality analyzer, for the captures of an endpoint."""
    return Bundle("monitor", _read(_analyzer() | _processing_script("monitor.py", "window")))


def all_bundles() -> tuple[Bundle, ...]:
    return preprocess_bundle(), train_bundle(), evaluate_bundle(), quality_check_bundle(), monitor_bundle()


def upload_bundles(bundles: Iterable[Bundle], code_uri: str, s3: Any, encryption: Mapping[str, str]) -> None:
    """Put every bundle where the definition expects it; the same bytes again where they already are.

    s3: a boto3 S3 client. encryption: further put_object arguments, as KMS ones.
    """
    for bundle in bundles:
        for uri, data in bundle.objects(code_uri):
            bucket, key = split_s3_uri(uri)
            s3.put_object(Bucket=bucket, Key=key, Body=data, **encryption)


def _analyzer() -> dict[str, str]:
    """The quality analyzer and what it takes to run it in a Processing job."""
    files = {
        "requirements.txt": "processing_scripts/requirements-quality.txt",
        "run.sh": "processing_scripts/run.sh",
    }
    sources = (path for path in (REPOSITORY / "analyzer").rglob("*.*") if path.suffix != ".pyc")
    modules = [path.relative_to(REPOSITORY).as_posix() for path in sources]
    return files | {path: path for path in modules}


def _processing_script(name: str, package: str) -> dict[str, str]:
    """A processing script, its package and what processing scripts share."""
    return _script(name, package, "processing_scripts") | {"job_files.py": "processing_scripts/job_files.py"}


def _script(name: str, package: str, folder: str) -> dict[str, str]:
    """A script and the package that it is made of."""
    paths = [name, *(f"{package}/{path.name}" for path in (REPOSITORY / folder / package).glob("*.py"))]
    return {path: f"{folder}/{path}" for path in paths}


def _read(files: Mapping[str, str]) -> dict[str, bytes]:
    # a checkout on Windows may end lines with CRLF; the containers, and the hash, want what is in git
    return {path: (REPOSITORY / source).read_bytes().replace(b"\r\n", b"\n") for path, source in files.items()}


def _tar_gz(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz whose bytes depend on the files alone: no times, no owners, no file name in the gzip header."""
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
