# `make demo` and `make test` set up all they need; bare `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV_VERSION := 0.13.9
FAST_TIERS := unit,properties,hostile,simulators,embedded,conformance
TESTS ?=
FAULTS ?= 300
FEED_FAULTS ?= 60
TIMES ?= 10
MINUTES ?= 30
# The newest Python of this machine that the project supports; PYTHON=... overrides.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3.14 python3; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$p" && break; done)

.PHONY: help setup tools fmt lint types test test-fast real chaos chart demo demo-orders \
	bench takeover workers soak image dashboard schemas lock check clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP)  ## make .venv from the lock file

$(STAMP): requirements/dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "feedbridge needs Python 3.11 or newer on the" \
	  "search path; name one with make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot" \
	  "make virtual environments; on Debian: apt-get install python3-venv" >&2; \
	  exit 1; }
	@echo "setting up $(VENV) with $(PYTHON) (about a minute, once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || "$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-build-isolation --no-deps -e .
	@touch $@

fmt: setup  ## format the code
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: setup  ## check style and rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## check types
	$(BIN)/mypy

tools:
	@scripts/tools.sh
	@scripts/image_tools.sh

dashboard: setup  ## remake the Grafana dashboard from the metric table
	$(BIN)/python scripts/dashboard.py

test: setup tools  ## run all tests, against real Kafka too; sets up all it needs
	$(BIN)/python -m pytest $(TESTS)

test-fast: setup  ## run the tests that need nothing but this folder
	$(BIN)/python -m pytest --tiers=$(FAST_TIERS) $(TESTS)

real: setup tools  ## run the tests against real Apache Kafka and a real registry
	$(BIN)/python -m pytest --tiers=real $(TESTS)

chaos: setup tools  ## the long chaos tests of orders and of shared feeds (docs/chaos.md)
	FEEDBRIDGE_CHAOS_FAULTS=$(FAULTS) FEEDBRIDGE_CHAOS_WORKERS=2,3 \
	  $(BIN)/python -m pytest -s tests/chaos/test_orders.py
	FEEDBRIDGE_CHAOS_FEED_FAULTS=$(FEED_FAULTS) $(BIN)/python -m pytest -s \
	  tests/chaos/test_many_workers.py tests/chaos/test_rolling.py

chart: setup  ## lint, render, validate and judge the Helm chart
	$(BIN)/python -m pytest --tiers=chart tests/chart $(TESTS)

demo: setup  ## see feeds flow through an embedded Kafka
	$(BIN)/feedbridge demo

demo-orders: setup  ## a thousand commands against the simulated matching engine
	$(BIN)/feedbridge demo --orders

bench: setup  ## measure the path
	$(BIN)/feedbridge bench

takeover: setup tools  ## measure how fast other workers take over
	$(BIN)/python -m bench.takeover --times $(TIMES)

workers: setup tools  ## measure one worker and two, and memory a subscription
	$(BIN)/python -m bench.workers

soak: setup tools  ## run workers for long, and judge whether anything grows
	$(BIN)/python -m bench.soak --minutes $(MINUTES) --out docs/soak.svg

image: setup tools  ## build the image, then run and scan it (docs/image.md)
	@scripts/image.sh
	$(BIN)/python -m pytest -s tests/image

schemas: setup  ## list the schemas and check them against the last release
	$(BIN)/feedbridge schemas list
	$(BIN)/feedbridge schemas check

lock:  ## remake the lock files from pyproject.toml
	@"$(PYTHON)" -m venv build/lock
	@build/lock/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@set -- --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-annotate --upgrade \
	  --custom-compile-command "make lock" pyproject.toml requirements/build.in; \
	build/lock/bin/uv pip compile "$$@" --extra fast --extra otel -o requirements/run.lock; \
	build/lock/bin/uv pip compile "$$@" --extra fast --extra otel --group dev \
	  --constraint requirements/run.lock -o requirements/dev.lock

check: lint types test  ## everything a merge needs

clean:  ## remove what make and the tests made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
