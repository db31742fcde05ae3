# Two commands: `make demo` and `make test`. Each sets up everything in .venv first.
PYTHON ?= python3
BIN := .venv/bin
# As many test processes as processors; one thread in each, or they wait for one another.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal
DEMO_OUT ?= demo
SERVE_DATA ?= department

.PHONY: help demo serve test test-fast coverage lint bench model cells clean

help:
	@echo "make demo       set up and run the main job on simulated slides (offline after installation)"
	@echo "make serve      set up and serve a department on this machine; prints a one-time link"
	@echo "make test       set up and pass every check and test"
	@echo "make test-fast  the same without tests marked slow"
	@echo "make coverage   the tests, and which lines none of them runs (a third more time)"
	@echo "make lint       ruff, mypy, import rules"
	@echo "make bench      timings as ratios, tissue and realism tables (minutes)"
	@echo "make model      rebuild the bundled model her2-sim from simulated slides"
	@echo "make cells      rebuild the network that finds nuclei and membranes (half an hour)"

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "lowpower needs Python >= 3.11; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

# Installing also builds the page of `view`, where Node or its wheel and npm's registry can be had.
PAGE := hatch_build.py $(wildcard web/*.* web/src/* web/public/*)

.venv/.installed: .venv/.made pyproject.toml $(PAGE)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

.venv/.installed-serve: .venv/.made pyproject.toml $(PAGE)
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[serve]"
	@touch $@ .venv/.installed

.venv/.installed-dev: .venv/.made pyproject.toml $(PAGE)
	$(BIN)/pip install --quiet --disable-pip-version-check -e ".[dev]"
	@touch $@ .venv/.installed .venv/.installed-serve

demo: .venv/.installed
	$(BIN)/lowpower demo --out $(DEMO_OUT)

serve: .venv/.installed-serve
	$(BIN)/lowpower serve --data $(SERVE_DATA)

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Types and import rules take one processor for most of a minute: beside the tests, not before them.
test: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@($(BIN)/mypy && $(BIN)/lint-imports) & lint=$$!; \
	  $(PYTEST); tests=$$?; \
	  wait $$lint || { echo "mypy or lint-imports found something: see above, or make lint"; exit 1; }; exit $$tests

coverage: .venv/.installed-dev
	$(PYTEST) --cov --cov-report=term:skip-covered

test-fast: .venv/.installed-dev
	$(PYTEST) -m "not slow"

bench: .venv/.installed-dev
	$(BIN)/python benchmarks/run_all.py

model: .venv/.installed-dev
	$(BIN)/python recipes/build_her2_sim.py
	$(BIN)/python recipes/compile_slide_network.py

cells: .venv/.installed-dev
	$(BIN)/python recipes/build_cell_network.py
	$(BIN)/python recipes/compile_cell_network.py

clean:
	rm -rf .venv demo runs
