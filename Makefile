# Each target makes its own environment if there is none. `make demo` and `make test` do all the set-up.
# On Linux x86-64 an environment holds the versions of requirements/*.txt, which were tested together; elsewhere, and
# with LOCK=, the newest that pyproject.toml allows.
SUPPORTED = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
PYTHON ?= $(firstword $(foreach p,python3 python3.12 python3.11 python,$(shell $(p) -c '$(SUPPORTED)' 2>/dev/null && echo $(p))))
VENV ?= .venv
CORE ?= .venv-core
AUTOML ?= .venv-automl
DOCS ?= .venv-docs
LATEST ?= .venv-latest
JOBS ?= 2
EXTRAS ?= mediapipe,dev
LOCK ?= $(if $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m)),yes)
BIN = $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-long test-core test-automl test-latest check docs dist bench lock clean python

help:  ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed  ## the whole way once, on a data set that is drawn on the spot; no download
	$(BIN)/abaw demo

# Each of the processes keeps to one core: small networks lose time in handing work from thread to thread. Bytecode is
# written even if the shell says otherwise: many tests start processes, and each would compile the project anew.
tests = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(1)/python -m pytest -n $(JOBS) --dist worksteal --durations=10

test: $(VENV)/.installed  ## all behaviours, two tests at a time; on a larger machine: make test JOBS=8
	$(call tests,$(BIN))

test-fast: $(VENV)/.installed  ## between two edits: the tests that start no process, browser, server or cluster, and run no network or page
	$(call tests,$(BIN)) --fast

test-long: $(VENV)/.installed  ## the same as test with many more examples, kills and damaged files: hours
	$(call tests,$(BIN)) --long

test-core: $(CORE)/.installed  ## all tests without any extra (numpy 2); a test that needs an extra skips and says so
	$(call tests,$(CORE)/bin)

test-automl: $(AUTOML)/.installed  ## the tests of the extra lightautoml
	$(call tests,$(AUTOML)/bin) tests/solutions/heads/test_automl.py tests/solutions/test_contract.py

test-latest: python  ## all tests with the newest versions that pyproject.toml allows; EXTRAS=test for those without extras
	rm -rf $(LATEST)
	$(PYTHON) -m venv $(LATEST)
	$(call newest,$(LATEST),$(EXTRAS))
	$(LATEST)/bin/python -m tests.support.locked requirements/$(if $(findstring mediapipe,$(EXTRAS)),all,core).txt
	$(call tests,$(LATEST)/bin)

check: $(VENV)/.installed  ## ruff, mypy, who may import whom, and the rules of language
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/harness/test_layering.py tests/test_language.py

# without --quiet, which keeps --strict from seeing warnings
docs: $(DOCS)/.installed  ## the documentation site in build/site, warnings are errors; opens from the disk
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

# the wheel is built from the source archive, which so has all that it needs
dist: $(VENV)/.installed  ## source archive and wheel in dist/
	rm -rf dist build/lib
	$(BIN)/python -c "from setuptools import build_meta; build_meta.build_sdist('dist')"
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz

bench: $(VENV)/.installed  ## speed, each beside what one would run today
	$(BIN)/python -m pytest -q -s -o python_files='bench_*.py' tests/benchmarks

lock: python  ## write requirements/*.txt again, with the newest versions that pyproject.toml allows
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet uv
	$(call compile,mediapipe dev,all)
	$(call compile,test,core)
	$(call compile,mediapipe lightautoml dev,automl)
	$(DOCS_EXTRA) | build/lock/bin/uv pip compile $(compile_options) - --output-file requirements/docs.txt

# the extra docs alone, without the project's other dependencies
DOCS_EXTRA = $(PYTHON) -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs']))"
compile_options = --quiet --universal --python-version 3.11 --upgrade --generate-hashes --custom-compile-command "make lock"
compile = build/lock/bin/uv pip compile $(compile_options) $(foreach e,$(1),--extra $(e)) pyproject.toml --output-file requirements/$(2).txt

python:
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || \
		{ echo "abaw needs Python 3.11 or 3.12; found $$($(or $(PYTHON),python3) --version 2>&1 | head -1). Name one: make demo PYTHON=/path/to/python3.12" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml requirements/all.txt | python
	$(call install,$(VENV),all,mediapipe$(comma)dev)

$(CORE)/.installed: pyproject.toml requirements/core.txt | python
	$(call install,$(CORE),core,test)

$(AUTOML)/.installed: pyproject.toml requirements/automl.txt | python
	$(call install,$(AUTOML),automl,mediapipe$(comma)lightautoml$(comma)dev)

$(DOCS)/.installed: pyproject.toml requirements/docs.txt | python
	rm -f $(DOCS)/.installed
	$(PYTHON) -m venv --clear $(DOCS)
	$(if $(LOCK),$(DOCS)/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/docs.txt,$(DOCS_EXTRA) | $(DOCS)/bin/python -m pip install --quiet -r /dev/stdin)
	$(DOCS)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(DOCS)/.installed

comma = ,

# $(1): environment, $(2): name of its lock, $(3): its extras
define install
	rm -f $(1)/.installed $(1)/lock.txt
	$(PYTHON) -m venv --clear $(1)
	@echo "installing packages into $(1): about 6 GB, some minutes the first time"
	$(if $(LOCK),$(call locked,$(1),$(2)),$(call newest,$(1),$(3)))
	touch $(1)/.installed
endef

# no dependency of a locked package, nor the builder of our own, is looked up anew
define locked
$(1)/bin/python -m pip install --quiet --require-hashes --no-deps -r requirements/$(2).txt
	$(call headless,$(1))
	$(1)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	cp requirements/$(2).txt $(1)/lock.txt
endef

define newest
$(1)/bin/python -m pip install --quiet --upgrade pip
	$(1)/bin/python -m pip install --quiet -e '.[$(2)]'
	$(call headless,$(1))
endef

# mediapipe asks for an OpenCV with a window system, which needs libGL; the headless wheel of the same version goes on top
headless = $(1)/bin/python -m pip install --quiet --force-reinstall --no-deps \
	"opencv-python-headless==$$($(1)/bin/python -c 'from importlib.metadata import version; print(version("opencv-python-headless"))')"

clean:  ## remove environments and caches, keep submissions
	rm -rf $(VENV) $(CORE) $(AUTOML) $(LATEST) $(DOCS) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
