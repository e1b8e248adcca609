# SPDX-License-Identifier: Apache-2.0
# `make demo` and `make test` need nothing done before them: each sets up what it uses.
PYTHON ?= python3
BIN := .venv/bin
export STRONGROOM_VECTORS ?= $(abspath ../shared/vectors)

.PHONY: help setup demo check test fuzz mutants bench aws-conformance lint fix reference lock

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 23

setup: .venv/.ready ## the virtual environment, and what slow tests need besides
	@tools/setup system
	@$(MAKE) --no-print-directory .venv/.esys .venv/.kiwi

.venv/.ready: requirements.lock pyproject.toml tools/setup
	@tools/setup venv "$(PYTHON)"

# After `tools/setup system`: it is compiled against one of those Debian packages.
.venv/.esys: .venv/.ready requirements-esys-build.lock requirements-esys.lock
	@tools/setup esys

.venv/.kiwi: .venv/.ready requirements-kiwi-build.lock requirements-kiwi.lock
	@tools/setup kiwi

demo: .venv/.ready ## the whole story; KEEP=folder leaves its pieces there
	@$(BIN)/strongroom demo $(if $(KEEP),--keep "$(KEEP)")

check: .venv/.ready ## the fast tests and the linters, for the inner loop
	@tools/check fast

test: setup ## everything, as CI runs it
	@tools/check all

fuzz: .venv/.ready ## fuzz every reader for a minute (docs/testing.md)
	@$(BIN)/python tools/fuzz $(if $(SECONDS),--seconds "$(SECONDS)") $(TARGET)

mutants: .venv/.ready ## change the source a thousand times: what goes unnoticed?
	@$(BIN)/python tools/mutants

bench: .venv/.ready ## how fast we are, and others (docs/benchmarks.md)
	@$(BIN)/python -m bench

aws-conformance: .venv/.ready ## ask AWS what the twin assumes: a plan, or CONFIRM=account
	@$(BIN)/python -m conformance.aws $(if $(CONFIRM),--confirm "$(CONFIRM)") \
	  $(foreach file,$(DOCUMENTS),--document "$(file)") $(foreach row,$(ONLY),--only "$(row)")

lint: .venv/.ready ## ruff, mypy and the layering contracts
	@tools/check lint

fix: .venv/.ready ## format, and fix what ruff can fix
	$(BIN)/ruff check --fix --quiet src tests conformance bench
	$(BIN)/ruff format --quiet src tests conformance bench

reference: .venv/.ready ## write docs/reference and the tables of behaviours again
	@$(BIN)/python tools/reference
	@$(BIN)/python tools/behaviours

LOCK = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
  --custom-compile-command "make lock"

lock: .venv/.ready ## pin every package again (needs uv)
	$(LOCK) --all-extras -o requirements.lock pyproject.toml
	$(LOCK) -c requirements.lock -o requirements-esys-build.lock --group esys-build
	$(LOCK) -c requirements.lock -o requirements-esys.lock --group esys --no-deps
	$(LOCK) -c requirements.lock -o requirements-kiwi-build.lock --group kiwi-build
	$(LOCK) -c requirements.lock -o requirements-kiwi.lock --group kiwi
