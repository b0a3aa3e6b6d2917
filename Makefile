# Each target makes its own environment if there is none. `make demo` and `make test` are all the set-up there is.
PYTHON ?= python3
VENV ?= .venv
CORE ?= .venv-core
JOBS ?= 2
BIN = $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-core check bench clean

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## the whole way once, on a data set that is drawn on the spot; no download
	$(BIN)/abaw demo

# each of the processes keeps to one core: small networks lose time in handing work from thread to thread
tests = OMP_NUM_THREADS=1 $(1)/python -m pytest -n $(JOBS) --dist worksteal

test: $(VENV)/.installed  ## all tests, two at a time; on a larger machine: make test JOBS=8
	$(call tests,$(BIN))

test-core: $(CORE)/.installed  ## all tests without any extra (numpy 2); what needs an extra skips, with its reason
	$(call tests,$(CORE)/bin)

check: $(VENV)/.installed  ## ruff, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/harness/test_layering.py

bench: $(VENV)/.installed  ## speed, each beside what one would run today
	$(BIN)/python -m pytest -q -s -o python_files='bench_*.py' tests/benchmarks

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "abaw needs Python 3.11 or later; name one: make demo PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "installing packages into $(VENV): about 6 GB, some minutes the first time"
	$(BIN)/python -m pip install --quiet -e '.[mediapipe,dev]'
	$(headless)
	touch $@

$(CORE)/.installed: pyproject.toml
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python -m pip install --quiet --upgrade pip
	@echo "installing packages into $(CORE): about 6 GB, some minutes the first time"
	$(CORE)/bin/python -m pip install --quiet -e '.[dev]'
	touch $@

# mediapipe asks for an OpenCV with a window system, which needs libGL; the headless wheel of the same version goes on top
define headless
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps \
		"opencv-python-headless==$$($(BIN)/python -c 'from importlib.metadata import version; print(version("opencv-python-headless"))')"
endef

clean:  ## remove environments and caches, keep submissions
	rm -rf $(VENV) $(CORE) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
