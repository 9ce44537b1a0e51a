# Every target sets up what it needs: a machine with Python 3.11 and make is enough.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := registry core $(wildcard plugins/*)
JOBS ?= 2
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) -q

.PHONY: help setup demo test test-all check format docs clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 18

setup: $(STAMP)  ## .venv with every package, editable, and the tools

demo: $(STAMP)  ## train the demo on bundled images; prints the likelihood and where the report is
	@$(BIN)/diffeo train image-flow/demo

test: check  ## lint, types, import rules and every quick test
	@$(PYTEST) -m "not long"

test-all: check  ## the long matrix as well
	@$(PYTEST)

check: $(STAMP)  ## lint, types and import rules only
	@echo "ruff check" && $(BIN)/ruff check --quiet --output-format concise
	@echo "ruff format --check" && $(BIN)/ruff format --check --quiet
	@echo "lint-imports" && $(BIN)/lint-imports --no-cache > $(VENV)/lint-imports.log 2>&1 || { cat $(VENV)/lint-imports.log >&2; exit 1; }
	@echo "pyright" && $(BIN)/pyright --warnings > $(VENV)/pyright.log || { cat $(VENV)/pyright.log >&2; exit 1; }

format: $(STAMP)  ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(STAMP)  ## write docs/reference/ anew from the installed components
	@$(BIN)/python docs/generate_reference.py

clean:  ## remove .venv and every cache; runs stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is older than what it was made from when a dependency changes: then pip runs again, and only then.
$(STAMP): requirements/dev.txt $(PACKAGES:%=%/pyproject.toml) | $(BIN)/python
	@echo "installing into $(VENV) (the first time takes a few minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input -r requirements/dev.txt
	@touch $@

# The first interpreter that runs and is new enough; `make PYTHON=/path/to/python` puts one in front.
$(BIN)/python:
	@for candidate in $(PYTHON) python3.11 python3 python; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' > /dev/null 2>&1; then \
	        "$$candidate" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; exit; \
	    fi; \
	done; \
	echo "diffeo needs Python 3.11 or newer; found none as python3.11, python3 or python. Name one: make PYTHON=/path/to/python" >&2; exit 1
