# Everything happens in .venv, made from $(PYTHON) and the pinned wheels of requirements-dev.txt.
# Needs: Python >= 3.11 with its headers, g++ >= 12, make. `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
TORCH ?= torch==2.13.0+cpu
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
CMAKE_ARGS ?=
PYTEST_ARGS ?=
# The folders of core/ that `make debug` and `make tsan` test; empty: all.
CORE_TESTS ?=

BIN := $(VENV)/bin
RUN := PATH="$(abspath $(BIN)):$$PATH" PYTHONPATH= HF_HUB_OFFLINE=1
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
CORE_TARGETS = $(if $(strip $(CORE_TESTS)),--target $(addsuffix _test,$(CORE_TESTS)))
CORE_FILTER = $(if $(strip $(CORE_TESTS)),-R '^($(subst $(SPACE),|,$(strip $(CORE_TESTS))))$$')
CPP_FILES = $(shell git ls-files --cached --others --exclude-standard '*.h' '*.cpp')
TIDY_DIRS := util types loop ir conversion optimizer
PY_FILES := py tests tools examples docsrc

.DEFAULT_GOAL := help
.PHONY: help venv build extension quickstart test test-core test-py lint tidy format debug tsan wheel docs bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "Python 3.11 or later is needed; this is %s. Set PYTHON=python3.11 (or later)." \
	  % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

# torch's CPU wheel is asked for where pip looks by default (a mirror may have it), then on
# PyTorch's index; if that can't be reached, any build of the release will do.
$(VENV)/.installed: requirements.txt requirements-dev.txt constraints.txt | $(BIN)/python
	@echo "installing the pinned wheels into $(VENV)"
	@$(BIN)/python -c 'import torch; assert torch.__version__.startswith("2.13.0")' 2>/dev/null \
	  || $(PIP) install "$(TORCH)" 2>/dev/null \
	  || $(PIP) install --extra-index-url $(TORCH_INDEX) "$(TORCH)" \
	  || $(PIP) install "$(firstword $(subst +, ,$(TORCH)))"
	@$(PIP) install -c constraints.txt -r requirements-dev.txt
	@touch $@

# Makes py/ importable, with the entry points of pyproject.toml: `make build` is all a change needs.
$(VENV)/.linked: $(VENV)/.installed pyproject.toml tools/link_checkout.py
	@$(BIN)/python tools/link_checkout.py
	@touch $@

venv: $(VENV)/.linked ## create .venv with the pinned wheels

build: venv ## build libtorchtrt.so, the Python module and the C++ tests, in place
	@$(RUN) cmake --preset release $(CMAKE_ARGS) --log-level=WARNING
	@$(RUN) cmake --build --preset release -j $(JOBS)

# What Python needs, without the C++ tests.
extension: venv
	@$(RUN) cmake --preset release $(CMAKE_ARGS) --log-level=WARNING
	@$(RUN) cmake --build --preset release -j $(JOBS) --target torchtrt_python

quickstart: extension ## embed and rank sentences with a trained model, compared with eager
	@$(RUN) python examples/quickstart.py

test: test-core test-py ## all tests

test-core: build ## the C++ tests
	@$(RUN) ctest --preset release --no-tests=error -j $(JOBS)

test-py: build ## the Python tests
	@$(RUN) python -m pytest $(PYTEST_ARGS)

lint: venv ## formatting, style, types, include graph and the other checks of tools/lint
	@$(RUN) ruff format --check $(wildcard $(PY_FILES))
	@$(RUN) ruff check $(wildcard $(PY_FILES))
	@$(RUN) mypy
	@$(if $(strip $(CPP_FILES)),$(RUN) clang-format --dry-run --Werror $(CPP_FILES))
	@$(RUN) python tools/lint/include_dag.py
	@$(RUN) python tools/lint/kinds.py
	@$(RUN) python tools/lint/skips.py
	@$(RUN) python tools/lint/readmes.py

# Minutes of work, so not part of lint. The release build has the compile commands.
tidy: venv ## clang-tidy on the folders of core/ that hold no vector code
	@$(RUN) cmake --preset release $(CMAKE_ARGS) --log-level=WARNING
	@printf '%s\n' $(wildcard $(foreach dir,$(TIDY_DIRS),core/$(dir)/*.cpp core/$(dir)/*/*.cpp)) \
	  | $(RUN) xargs -P $(JOBS) -n 4 clang-tidy -p build/release --quiet

format: venv ## rewrite our files in the project's format
	@$(RUN) ruff format $(wildcard $(PY_FILES))
	@$(RUN) ruff check --fix $(wildcard $(PY_FILES))
	@$(if $(strip $(CPP_FILES)),$(RUN) clang-format -i $(CPP_FILES))

debug: venv ## core and its tests with ASan + UBSan
	@$(RUN) cmake --preset debug $(CMAKE_ARGS) --log-level=WARNING
	@$(RUN) cmake --build --preset debug -j $(JOBS) $(CORE_TARGETS)
	@$(RUN) ctest --preset debug $(CORE_FILTER)

tsan: venv ## core and its tests with ThreadSanitizer
	@$(RUN) cmake --preset tsan $(CMAKE_ARGS) --log-level=WARNING
	@$(RUN) cmake --build --preset tsan -j $(JOBS) $(CORE_TARGETS)
	@$(RUN) ctest --preset tsan $(CORE_FILTER)

wheel: venv ## a wheel in dist/
	@$(RUN) pip wheel --no-build-isolation --no-deps -w dist .

docs: build ## HTML in build/docs
	@$(PIP) install -c constraints.txt -r requirements-docs.txt
	@$(RUN) python -m sphinx -W -q -b html docsrc build/docs
	@echo "build/docs/index.html"

bench: build ## compare with eager and Inductor on the model zoo
	@$(RUN) python tools/perf/bench.py

clean: ## remove the builds, keep .venv
	rm -rf build dist py/torch_tensorrt/*.so
