# Each target sets up .venv from envs/requirements.lock by itself.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs
CORES ?= all
# Snakemake looks for jobs to start once in a timespan for each job that has finished, a tenth of a core by the end at its
# default of 1s.
SNAKEMAKE := $(BIN)/snakemake --max-jobs-per-timespan 100/5s
export PYTHONDONTWRITEBYTECODE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
# A user without a home, as in containers: Snakemake looks for one before it reads the Snakefile.
ifneq ($(shell test -d "$$HOME" && test -w "$$HOME" && echo yes),yes)
export HOME := $(CURDIR)/.snakemake/home
endif

.PHONY: help setup check schema demo reproduce replicates coverage calibration null-audits studies report results check-results pictures docs cards test test-long test-browser test-slurm test-slurm-faults slurm-packages mutants lint format bench status unlock unlock-slurm clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(VENV)/.linked ## Make .venv from the pinned lock file

$(VENV)/.linked: $(VENV)/.installed workflow/tools/link_package.py
	$(BIN)/python workflow/tools/link_package.py
	touch $@

$(VENV)/.installed: envs/requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than Python 3.11; run: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	touch $@

demo: setup ## Everything under `run` in config.yaml, then the report
	@echo "The first figure (Fig. 4) comes within two minutes: results/von-mises/figures/lid_scatter.pdf"
	$(SNAKEMAKE) --cores $(CORES)
	@$(MAKE) --no-print-directory report
	@cat "$$(ls -t results/summary.txt results/*/summary.txt 2>/dev/null | head -n 1)"

reproduce: setup ## Every experiment that needs no download, once; at most 60 minutes on two cores
	$(SNAKEMAKE) --cores $(CORES) --config run="$$($(BIN)/python workflow/tools/embedded.py)"
	@cat results/summary.txt

replicates: setup ## Trainings with every seed under `replicates`, compared: docs/studies; hours, resumable; ARGS="--first 3"
	$(BIN)/python workflow/tools/replicates.py --cores $(CORES) $(ARGS)

coverage: setup ## How often each kind of interval covers: docs/statistics.md; a few minutes; ARGS="--trials 500"
	$(BIN)/python workflow/tools/interval_coverage.py $(ARGS)

calibration: setup ## How often claims of finished results hold where nothing is to be found: docs/statistics.md; minutes; ARGS="--trials 200"
	$(BIN)/python workflow/tools/null_calibration.py $(ARGS)

null-audits: setup ## How often mmh audit finds what is not there, over eight trained models: docs/audit.md; a quarter of an hour; ARGS="--audits 400"
	$(BIN)/python workflow/tools/null_audits.py $(ARGS)

studies: setup ## The long studies under studies/, coverage, calibration and null audits; hours, resumable; a table of each under docs/studies/
	$(BIN)/python workflow/tools/interval_coverage.py
	$(BIN)/python workflow/tools/null_calibration.py
	$(BIN)/python workflow/tools/null_audits.py
	$(BIN)/python workflow/tools/study.py --cores $(CORES) $(ARGS) $(wildcard studies/*.yaml)

report: setup ## results/report.html from finished results
	$(BIN)/snakemake --report results/report.html --report-stylesheet workflow/report/report.css --quiet all
	@echo "report: results/report.html"

results: setup ## docs/results.md from the tables of a finished run
	$(BIN)/python workflow/tools/results_page.py

check-results: setup ## Whether docs/results.md is in step with the tables of a finished run
	$(BIN)/python workflow/tools/results_page.py --check

pictures: setup ## Pictures of README.md, under docs/images/, from the figures of a finished run
	$(BIN)/python workflow/tools/pictures.py

docs: $(DOCS)/.installed ## The documentation as a site, results/docs/index.html; runs its tutorial and its notebook; minutes
	$(DOCS)/bin/python workflow/tools/docs_site.py

# An environment of its own, over the project's: nothing that computes is installed with it, or changed by it.
$(DOCS)/.installed: envs/docs.lock $(VENV)/.installed
	$(BIN)/python -m venv $(DOCS)
	$(BIN)/python -c 'import sysconfig; print("import site; site.addsitedir(%r)" % sysconfig.get_path("purelib"))' \
	  > "$$($(DOCS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r envs/docs.lock
	touch $@

cards: setup ## docs/cards.md from the docstrings of the estimators
	$(BIN)/python workflow/tools/estimator_cards.py

test: setup ## All tests but the long ones, those of the browser and of SLURM
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-long: setup ## Whole tiny runs: CIFAR-10, Stable Diffusion, rows added to a copy, ids cut otherwise; a quarter of an hour
	$(BIN)/python -m pytest -m long -n 2 --dist loadfile tests/workflow

test-browser: setup ## The labelling page and the report in a real browser (chromium; skipped where there is none)
	$(BIN)/python -m pytest tests/browser -rs

test-slurm: setup slurm-packages ## The workflow over a real SLURM of one node (skipped where it cannot be installed)
	$(BIN)/python -m pytest tests/slurm/test_slurm.py -rs

test-slurm-faults: setup slurm-packages ## Cancelled, killed and orphaned jobs on that SLURM; about 20 minutes
	$(BIN)/python -m pytest tests/slurm/test_faults.py -rs

mutants: setup ## Whether a test notices each deliberate fault in tests/mutants/; some minutes; ARGS="-n 1 NAME ..."
	$(BIN)/python workflow/tools/mutants.py $(ARGS)

slurm-packages:
	@PATH="$$PATH:/usr/sbin" which slurmctld slurmd munged sbatch >/dev/null 2>&1 || { apt-get update -qq && \
	  apt-get install -qq -y --no-install-recommends slurmctld slurmd munge slurm-client; } >/dev/null 2>&1 || \
	  echo "SLURM cannot be installed here: its tests are skipped"

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

status: setup ## How far a run is, also while it goes on; ARGS="--profile profiles/gpu --config run='[digits]'"
	@$(BIN)/python workflow/tools/status.py $(ARGS)

check: setup ## Check the configuration alone; ARGS="--configfile config.yaml mine.yaml"
	@$(BIN)/python workflow/tools/check_config.py $(ARGS)

schema: setup ## Write workflow/schemas/config.schema.json, which editors read, from the declared options
	@PYTHONPATH=workflow/scripts $(BIN)/python -m mmh.config.schema workflow/schemas/config.schema.json

unlock: setup ## After a kill: clear Snakemake's lock, if no run is alive
	@$(BIN)/python workflow/tools/unlock.py

unlock-slurm: setup ## The same after a run over SLURM: its jobs are cancelled first
	@$(BIN)/python workflow/tools/unlock.py --slurm

clean: ## Remove everything generated (results, logs, benchmarks, chunks, runs); the environment stays
	rm -rf results logs benchmarks chunks runs .snakemake
