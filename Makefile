# The whole developer interface. Each target sets up what it needs; PYTHON=/path/to/python3.13 chooses the interpreter.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.SILENT:
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV
export PYTHON PLATFORM LIVE_MAX_USD LIVE_TESTS
BIN := .venv/bin
WORKERS ?= 2

.PHONY: help setup system-packages bench-peers demo test check bench lab live

help: ## this list
	sed -nE 's/^([a-z-]+):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r target does; do printf '%-8s %s\n' "$$target" "$$does"; done

setup:
	scripts/setup.sh

system-packages:
	scripts/system_packages.sh

bench-peers: setup
	scripts/bench_peers.sh

demo: setup ## run the main job on this machine, and show everything that comes back
	$(BIN)/python scripts/demo.py

test: setup system-packages ## run every test (TESTS=tests/unit/store runs some)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --durations 20 $(TESTS)

check: setup ## lint, format, types, layers, shell, tracked files
	scripts/check.sh

bench: setup system-packages bench-peers ## every budget beside its peer (BENCH="snapshot --json" for some, as JSON)
	$(BIN)/python -m tests.bench $(BENCH)

lab: setup ## JupyterLab with ipymlops loaded, in a copy of examples/digits
	scripts/lab.sh

live: setup ## PLATFORM=sagemaker: the contract on your account, at most 5 US dollars (LIVE_MAX_USD)
	$(BIN)/python -m tests.live
