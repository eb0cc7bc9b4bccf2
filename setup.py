"""Package metadata, package data and entry points. Exact versions are in requirements.lock."""

from pathlib import Path

from setuptools import find_namespace_packages, setup
from setuptools.command.build_py import build_py

# some folders are not Python packages but hold scripts that run in containers; installed, they stay plain folders
PACKAGES = [
    "project",
    "pipelines",
    "deployment",
    "monitoring",
    "infrastructure",
    "studio",
    "analyzer",
    "local_sagemaker",
    "processing_scripts",
    "training_scripts",
    "inference",
]
DATA = ["*.txt", "*.sh", "*.json", "*.yaml", "*.css", "*.js", "*.html", "*.svg", "*.LICENSE", "*.md"]


class BuildWithLock(build_py):
    """Copy requirements.lock into the package, where `infrastructure` reads it to build the layer of its functions."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_file("requirements.lock", str(Path(self.build_lib) / "infrastructure" / "requirements.lock"))


setup(
    name="sagemaker-lightgbm-pipelines",
    version="0.1.0",
    description="SageMaker Pipelines for tabular LightGBM models, on SageMaker and on one machine",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    packages=[
        *find_namespace_packages(
            include=[pattern for package in PACKAGES for pattern in (package, f"{package}.*")],
            exclude=["*.__pycache__", "*.__pycache__.*"],
        ),
        "examples",
    ],
    package_data={"": DATA, "examples": ["*/*"]},
    cmdclass={"build_py": BuildWithLock},
    install_requires=[
        "sagemaker>=3.27,<4",
        "boto3",
        "jmespath",
        "pydantic>=2.12,<3",
        "pyyaml",
        "typer",
        "platformdirs",
        "rich",
        "numpy",
        "pandas",
        "pyarrow",
        "duckdb",
        "scikit-learn",
        "lightgbm",
        "datasketches",
        "flask",
    ],
    extras_require={
        "local": ["moto[server]>=5.2.5,<5.3", "cryptography", "optuna", "psutil", "werkzeug"],
        "docs": ["mkdocs-material"],
        # not in requirements.lock because of its 320 MB; the version of SageMaker's Spark image
        "spark": ["pyspark>=3.5.6,<3.6"],
        "dev": [
            "awscli",
            "bandit",
            "cfn-lint",
            "coverage",
            "hypothesis",
            "import-linter",
            "mypy",
            "pip",
            "pip-audit",
            "pre-commit",
            "sagemaker-inference",
            "setuptools",
            "wheel",
            "pytest",
            "pytest-xdist",
            "ruff",
            "types-PyYAML",
            "xgboost-cpu; sys_platform == 'linux'",
        ],
    },
    entry_points={
        "console_scripts": [
            "sagemaker-lightgbm=project.console:app",
            "run-pipeline=pipelines.__main__:run_pipeline",
            "get-pipeline-definition=pipelines.__main__:get_pipeline_definition",
        ]
    },
)
