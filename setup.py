"""Package metadata and entry points. Exact versions are in requirements.lock."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="sagemaker-lightgbm-pipelines",
    version="0.1.0",
    description="SageMaker Pipelines for tabular LightGBM models, on SageMaker and on one machine",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    packages=find_packages(
        include=[
            "pipelines*",
            "deployment*",
            "monitoring*",
            "project*",
            "analyzer*",
            "infrastructure*",
            "local_sagemaker*",
            "examples",
        ]
    ),
    package_data={
        "deployment": ["prices.json"],
        "infrastructure": ["templates/*.yaml"],
        "analyzer.reports": ["templates/*"],
    },
    install_requires=[
        "sagemaker>=3.27,<4",
        "boto3",
        "pydantic>=2.12,<3",
        "pyyaml",
        "typer",
        "rich",
        "numpy",
        "pandas",
        "pyarrow",
        "scikit-learn",
        "lightgbm",
        "matplotlib",
        "datasketches",
    ],
    extras_require={
        "local": ["moto[server]>=5.2.5", "cryptography", "optuna", "psutil", "werkzeug"],
        "docs": ["mkdocs-material"],
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
            "run-pipeline=pipelines.__main__:run_pipeline",
            "get-pipeline-definition=pipelines.__main__:get_pipeline_definition",
        ]
    },
)
