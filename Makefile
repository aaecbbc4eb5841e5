# Each target sets up .venv from envs/requirements.lock by itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
export PYTHONDONTWRITEBYTECODE := 1
export HF_HUB_DISABLE_TELEMETRY := 1

.PHONY: help setup demo report test test-browser lint format bench unlock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## Make .venv from the pinned lock file

$(VENV)/.installed: envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than Python 3.11; run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	touch $@

demo: setup ## Everything under `run` in config.yaml, then the report
	$(BIN)/snakemake --cores $(CORES)
	@$(MAKE) --no-print-directory report
	@cat results/summary.txt

report: setup ## results/report.html from finished results
	$(BIN)/snakemake --report results/report.html --quiet all
	@echo "report: results/report.html"

test: setup ## All tests but those of the labelling page
	$(BIN)/python -m pytest

test-browser: setup ## The labelling page in a real browser (chromium; skipped where there is none)
	$(BIN)/python -m pytest tests/browser -rs

lint: setup ## Formatters, linters and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: setup ## Apply the formatters
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules

bench: setup ## Time the steps that dominate a run; writes results/bench/
	$(BIN)/python -m tests.bench

unlock: setup ## After a kill: clear Snakemake's lock, if no run is alive
	@$(BIN)/python workflow/tools/unlock.py

clean: ## Remove everything generated (results, logs, benchmarks); the environment stays
	rm -rf results logs benchmarks .snakemake
