# Every target sets up what it needs: an environment in .venv, made anew when pyproject.toml changes.
# PYTHON chooses the interpreter that makes it, `make test PYTHON=python3.13`; else the first that will do.

new_enough := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
  if $$python -c '$(new_enough)' 2>/dev/null; then echo $$python; exit; fi; done; echo python3)
endif

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test scenarios lint integration bench clean

run := .venv/bin/python
made := .venv/.made-with-$(subst /,_,$(PYTHON))
pip := $(run) -m pip --disable-pip-version-check --quiet --no-input

# Hundreds of processes that each compile all modules anew would be what is measured, in tests and benchmarks.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/.installed ## Lock, build and verify examples/digits in a temporary git repository
	@bash examples/demo.sh .venv/bin/envfreeze

test: .venv/.developer ## Run the tests that need nothing but this machine
	$(run) -m pytest -n auto --dist worksteal -m "not scenario and not integration and not network"

scenarios: .venv/.developer ## Run whole commands as their users do, through every turn that we know of
	$(run) -m pytest -n auto --dist worksteal -m "scenario and not integration and not network"

lint: .venv/.developer ## Check style, types and the order of the rooms
	$(run) -m ruff check
	$(run) -m ruff format --check
	$(run) -m mypy
	.venv/bin/lint-imports

integration: .venv/.developer ## Run the tests that need the network or real peers: dockerd, a registry, skopeo, umoci
	$(run) -m pytest -n 2 --dist loadfile -m "integration or network"

bench: .venv/.developer ## Measure, and print every figure that the docs quote
	$(run) tests/bench/run.py

clean: ## Remove the environment and all that tools leave behind
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(made):
	@$(PYTHON) -c '$(new_enough)' || { \
	  echo "error: envfreeze needs Python 3.11 or later, and $(PYTHON) is older or is not there" >&2; \
	  echo "hint: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	  echo "error: $(PYTHON) cannot make a virtual environment" >&2; \
	  echo "hint: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@touch $@

.venv/.installed: pyproject.toml $(made)
	$(pip) install --editable .
	@touch $@

# --group needs pip 25.1, newer than the one that venv brings.
.venv/.developer: .venv/.installed
	$(pip) install --upgrade "pip>=25.1"
	$(pip) install --group dev
	@touch $@
