# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
SETTINGS ?= examples/breast-cancer/settings.yaml
UV_VERSION = 0.13.8

BIN = .venv/bin
UV = $(BIN)/uv

.PHONY: help setup run test test-image test-spark lint types audit lock clean
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# uv lives in the virtual environment itself, so the only things needed beforehand are Python and make
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; set PYTHON=") if sys.version_info < (3, 11) else 0'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/installed: $(UV) requirements.lock setup.py
	@echo "Installing the pinned dependencies (the first time this downloads about 300 MB) ..."
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/installed ## make .venv with the pinned dependencies

run: .venv/installed ## run the whole pipeline on this machine (SETTINGS=examples/wine/settings.yaml for another)
	@$(BIN)/python -m pipelines run --local --settings $(SETTINGS)

# one more than processors, as tests also wait: for servers, timers and the processes of jobs
TEST_PROCESSES = $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')

test: .venv/installed ## run all tests
	@$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder $(TEST_ARGS)

IMAGE_REQUIREMENTS = tests/image-requirements.txt $(wildcard *_scripts/requirements.txt) inference/requirements.txt

.venv-image/installed: $(UV) $(IMAGE_REQUIREMENTS)
	@$(UV) venv --quiet --clear --seed --python $(BIN)/python .venv-image
	@$(UV) pip install --quiet --python .venv-image/bin/python -r tests/image-requirements.txt
	@touch $@

test-image: .venv-image/installed ## test the container scripts on the library versions of SageMaker's scikit-learn image
	@.venv-image/bin/python -m pytest tests/processing_scripts tests/training_scripts tests/inference tests/test_container_scripts.py

.venv-spark/installed: $(UV) tests/spark/requirements.txt
	@$(UV) venv --quiet --clear --python $(BIN)/python .venv-spark
	@$(UV) pip install --quiet --python .venv-spark/bin/python -r tests/spark/requirements.txt
	@touch $@

test-spark: .venv-spark/installed ## test the analyzer on Spark; needs Java 17 and downloads 450 MB
	@.venv-spark/bin/python -m pytest tests/spark

lint: .venv/installed ## check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: .venv/installed ## check types
	@$(BIN)/mypy

PACKAGES = project pipelines analyzer deployment monitoring local_sagemaker infrastructure processing_scripts training_scripts inference examples

audit: .venv/installed ## look for known vulnerabilities in the dependencies, and for insecure code
	@$(BIN)/bandit --quiet --severity-level high --recursive $(PACKAGES)
	@$(BIN)/pip-audit --progress-spinner off --disable-pip --requirement requirements.lock

lock: $(UV) ## pin the newest versions that setup.py allows
	@$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--all-extras setup.py --output-file requirements.lock

clean: ## remove the virtual environment and all local state
	@rm -rf .venv .venv-image .venv-spark .local_sagemaker reports
