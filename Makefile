# Everything a person does here, one line each. `make help` prints the list.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
UV := .venv/bin/uv
# Most of what the tests do is wait for a control plane; each worker starts one, once.
WORKERS ?= 2
# TORCH_BACKEND=cpu takes PyTorch's own CPU build, which spares gigabytes of CUDA libraries.
TORCH_BACKEND ?=
TORCH := $(shell sed -nE 's/^((torch|tensorboard|stable-baselines3|ray)==[^ ]*).*/\1/p' requirements/torch.txt)

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.venv/.ready: pyproject.toml requirements/dev.txt requirements/torch.txt
	@echo "Making .venv (the first time downloads torch; TORCH_BACKEND=cpu takes the small build)"
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headstart needs Python 3.11 or newer; set PYTHON=python3.11")'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --require-hashes -r requirements/uv.txt
ifeq ($(TORCH_BACKEND),)
	$(UV) pip install --python .venv --require-hashes -r requirements/dev.txt -r requirements/torch.txt
else
	$(UV) pip install --python .venv --require-hashes -r requirements/dev.txt
	$(UV) pip install --python .venv --torch-backend $(TORCH_BACKEND) $(TORCH)
endif
	$(UV) pip install --python .venv --quiet --no-deps --editable .
	@touch $@

.PHONY: venv
venv: .venv/.ready ## Make .venv with pinned, hashed packages

.PHONY: demo
demo: .venv/.ready ## See a service scaled ahead of its load (TRACE=file.csv[.gz] FULL=1 JSON=file)
	.venv/bin/python -m demo $(if $(TRACE),--trace '$(TRACE)') $(if $(FULL),--full) $(if $(JSON),--json '$(JSON)')

.PHONY: test
test: lint ## Run every check and test: unit, integration, chart, end to end
	.venv/bin/python -m tests.cluster build
	.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

.PHONY: test-unit
test-unit: .venv/.ready ## Run the tests that need no cluster (seconds)
	.venv/bin/python -m pytest tests/unit $(ARGS)

.PHONY: faults
faults: .venv/.ready ## Break the world around the operator, fault by fault (TRIES=2 ONLY='words' JSON=file)
	.venv/bin/python -m tests.faults $(if $(TRIES),--tries $(TRIES)) $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json '$(JSON)')

.PHONY: soak
soak: .venv/.ready ## Run the operator at accelerated time under random faults (MINUTES=60 JSON=file)
	.venv/bin/python -m tests.faults.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(JSON),--json '$(JSON)')

.PHONY: lint
lint: .venv/.ready ## Check style, types and import contracts
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

.PHONY: audit
audit: .venv/.ready ## Look up known vulnerabilities of what the image carries
	.ci/audit

.PHONY: format
format: .venv/.ready ## Format the code
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format .

.PHONY: docs
docs: .venv/.ready ## Write docs/reference.md from the schema
	.venv/bin/python docs/reference.py

.PHONY: chart
chart: .venv/.ready ## Write the chart's schema and README from its values
	.venv/bin/python -m tests.integration.chart.generate

.PHONY: lock
LOCK := $(UV) pip compile --quiet --universal --no-header --generate-hashes
lock: .venv/.ready ## Pin the requirements anew, with hashes
	$(LOCK) --extra operator --output-file requirements/operator.txt pyproject.toml
	$(LOCK) --extra operator --extra backtest --extra dev --constraint requirements/constraints.in --output-file requirements/dev.txt pyproject.toml
	printf '%s\n' 'torch>=2.5' tensorboard stable-baselines3 'ray[default,rllib]' | $(LOCK) --constraint requirements/dev.txt --output-file requirements/torch.txt -
	echo uv | $(LOCK) --output-file requirements/uv.txt -
	echo 'hatchling>=1.27' | $(LOCK) --output-file requirements/build.txt -
