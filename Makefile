# make demo     makes .venv, installs, runs the main job and shows what it does   (ARGS='--rate 100')
# make test     the same install, runs the tests                                  (ARGS='-k fold')
#               ARGS="-m 'not processes'" leaves out those that start whole workers (minutes)
# make soak     kills workers, brokers and producers for many seeds        (ARGS='--seeds 50'; needs Kafka's jars)
# make lint     style, types, import contracts, file sizes
# make schemas  writes deploy/schemas from the contracts
# make dashboards   writes deploy/grafana/dashboards from deploy/grafana/*.py
# make preview  draws the dashboards from a live run (needs Kafka's jars, Prometheus, npm, Chromium, pngquant)
# make compose-check   starts deploy/compose.yaml and asks Grafana for every panel (needs Docker; ARGS=--keep)
# make bench-NAME   measures and writes tests/bench/results/NAME.json
# make figures  writes the measured figures into the README
#
# HEADRACE_TORCH_INDEX  address of a package index with CPU builds of torch; without it pip takes what its own
#                       configuration finds first, which on Linux may be a build with gigabytes of CUDA.
# EXTRA                 cpu (default) or gpu: which FAISS is installed.

PYTHON ?= python3.11
EXTRA ?= cpu
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(EXTRA)
# Byte-compiling torch and transformers whole costs minutes on two cores; Python compiles what it imports.
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check
TORCH_INDEX := $(if $(HEADRACE_TORCH_INDEX),--extra-index-url $(HEADRACE_TORCH_INDEX))

# Python must be able to keep what it compiled: importing torch uncompiled takes minutes, every time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test soak lint schemas dashboards preview compose-check figures install clean

demo: install
	$(BIN)/headrace demo $(ARGS)

test: install
	$(BIN)/python -m pytest $(ARGS)

soak: install
	$(BIN)/python -m tests.integration.faults.soak $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m tests.file_sizes

schemas: install
	$(BIN)/python -m streams.contracts.schemas deploy/schemas

dashboards: install
	$(BIN)/python -W ignore::DeprecationWarning -m deploy.grafana

preview: install
	$(BIN)/python -m tests.dashboards.preview $(ARGS)

compose-check: install
	$(BIN)/python -m tests.dashboards.compose $(ARGS)

bench-%: install
	$(BIN)/python -m tests.bench.$* $(ARGS)

figures: install
	$(BIN)/python -m tests.bench.tables

install: $(STAMP)

$(STAMP): pyproject.toml deploy/constraints.txt $(wildcard streams/state/*.pyx streams/state/*.pxd)
	@command -v $(PYTHON) >/dev/null || { echo "Headrace needs Python 3.11 or newer; name it with PYTHON=…" >&2; exit 2; }
	@echo "Installing into $(VENV) (once, a few minutes) …" >&2
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --constraint deploy/constraints.txt $(TORCH_INDEX) --editable '.[$(EXTRA),dev]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
