# Two families: `check` and `test` never write to the sources, `fix` and `rewrite` do.
# Needs python3 (3.11 or newer), make and git; everything else is installed into .venv from the
# locked and hashed list requirements-dev.lock.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:

PYTHON ?= python3
PY := .venv/bin/python
SEED ?=
SEEDS ?= 1..100
ONLY ?=
FOCUS ?=
FROM ?=
ARGS ?=
MINUTES ?= 10
GIGABYTES ?= 5

# The environment is made anew when the lock, the project's own description or the place changes.
KEY = $(shell { cat requirements-dev.lock pyproject.toml; pwd; } | git hash-object --stdin)
STAMP = .venv/ready-$(KEY)

.PHONY: help setup run test test-cluster check fix rewrite render sim soak mutants coverage torture bench soak-load cost cluster lock clean

help: ## say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## make or renew the environment in .venv, if it is stale
	@command -v $(PYTHON) >/dev/null || { echo "replog needs python3, 3.11 or newer, and finds no '$(PYTHON)'" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit(f"replog needs Python 3.11 or newer; $(PYTHON) is {sys.version.split()[0]} (another one: make PYTHON=python3.12 …)")'
	@[ -f $(STAMP) ] || { \
	  echo "setting up .venv (about half a minute)"; \
	  $(PY) -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear .venv; \
	  $(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock; \
	  $(PY) -m pip install -q --disable-pip-version-check --no-build-isolation --no-deps -e .; \
	  rm -f .venv/ready-*; touch $(STAMP); }

run: setup ## start three nodes on this machine; Ctrl-C stops them (ARGS="-f log.yaml")
	@exec .venv/bin/replog up $(ARGS)

test: setup check ## every check, then every test (ARGS="-k name" for some)
	@$(PY) -m pytest -q -n 2 tests $(ARGS)

test-cluster: setup ## only the tests on a real Kubernetes node, which is built first; needs root and go
	@$(PY) -m pytest -q tests/cluster $(ARGS)

check: setup ## formatting, lint, types and layers; changes nothing
	@$(PY) -m ruff format -q --check .
	@$(PY) -m ruff check -q .
	@$(PY) -m mypy node operator tests
	@.venv/bin/lint-imports --no-logo

fix: setup ## format, and mend what can be mended
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

rewrite: setup ## write what the scenario files would now show; read the diff before committing it
	@$(PY) -m pytest -q tests/scenario --rewrite $(ARGS)

render: setup ## write the copies of the definitions and rules in manifests and charts
	@$(PY) -m tests.support.render

sim: setup ## run the simulation: SEEDS=1..1000, or SEED=7 alone (ONLY=3,5: with these of its faults; FOCUS=holes)
	@$(PY) -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) $(if $(FOCUS),--focus $(FOCUS)) $(if $(ONLY),--only $(ONLY)) $(ARGS)

soak: setup ## run always new seeds of the simulation until stopped (MINUTES=60), and note what they did
	@$(PY) -m tests.simulation --soak $(if $(FROM),--first $(FROM)) $(if $(filter command line,$(origin MINUTES)),--minutes $(MINUTES)) $(ARGS)

coverage: setup ## measure what simulation alone reaches of core, driver, storage and state (SEEDS=1..60)
	@$(PY) -m tests.simulation.coverage $(if $(filter command line,$(origin SEEDS)),--seeds $(SEEDS)) $(ARGS)

torture: setup ## torture real members in namespaces of their own; needs root (MINUTES=5 SEED=7)
	@$(PY) -m tests.torture --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(ARGS)

cluster: setup ## run a real Kubernetes node of its own until Ctrl-C; needs root (ARGS=--api-only)
	@exec nice $(PY) -m tests.cluster $(ARGS)

mutants: setup ## put known bugs back, each must be seen (ARGS="-k hole", ARGS=--write)
	@$(PY) -m tests.simulation.mutants_table $(ARGS)

bench: setup ## measure beside etcd, NATS and Kafka (ARGS="etcd put" for a part, ARGS=--write)
	@PYTHONPATH=node:operator:. $(PY) -m tests.bench $(ARGS)

soak-load: setup ## hold three members under full load: nobody may be elected (MINUTES=10)
	@$(PY) -m pytest -q -s tests/integration/test_full_load.py -k elected --minutes $(MINUTES) $(ARGS)

cost: setup ## see that memory and start don't grow with the log (GIGABYTES=5)
	@$(PY) -m pytest -q -s tests/integration/test_full_load.py -k grow --gigabytes $(GIGABYTES) $(ARGS)

lock: setup ## resolve the dependencies again and write both locks (with Python 3.11, the oldest)
	@$(PY) -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit("the locks are made with Python 3.11, so that they hold for all newer ones too")'
	@for extra in "--extra operator" "--extra operator --extra dev -c requirements.lock"; do \
	  $(PY) -m piptools compile -q --no-build-isolation --generate-hashes --strip-extras --allow-unsafe \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-header $$extra \
	    -o requirements$$(case "$$extra" in *dev*) echo -dev;; esac).lock pyproject.toml; done

clean: ## remove what was made here: environment, caches, build output (never .replog, your data)
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
