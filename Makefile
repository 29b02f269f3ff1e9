# Inventory Sync: what a person types. Needs Python 3.11 or newer, pip and make; everything else goes into .venv.

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
# Of pytest; each has servers of its own. Most tests wait for other processes.
PROCESSES ?= 3
STAMP := $(VENV)/.installed
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

.PHONY: help install demo test bench soak screenshots lock clean

help:
	@echo "make demo     install, then two shops synced before your eyes; Ctrl-C ends it"
	@echo "make test     install, then style, types and all tests"
	@echo "make install  only the virtual environment in $(VENV)"
	@echo "make bench    the benchmarks of tests/bench"
	@echo "make soak     the acceptance tests at full size, with every fault (over an hour)"
	@echo "make screenshots  every page of the panel as pictures in screenshots/"
	@echo "make lock     the lock files anew from pyproject.toml (needs uv)"
	@echo "make clean    remove $(VENV) and what tools left behind"

install: $(STAMP)

# The stamp names what was installed: nothing is done again until one of these files changes.
$(STAMP): pyproject.toml requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@# Debian's python3 lacks ensurepip without python3-venv; the pip that is there then installs into the venv.
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || \
		$(PYTHON) -m venv --clear --without-pip $(VENV)
	@if test -x $(BIN)/pip; then pip="$(BIN)/python -m pip"; \
	else pip="$(PYTHON) -m pip --python $(BIN)/python"; fi; \
	export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	$$pip install --quiet --require-hashes -r requirements/dev.lock && $$pip install --quiet --no-deps -e .
	@touch $@

demo: install
	@exec $(BIN)/inventory-sync demo

# Style and types first, pytest last, so that its summary is the last line; any failure fails the whole.
test: install
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/ruff format --check . || failed=1; \
	$(BIN)/mypy || failed=1; \
	test $$failed = 0 || echo "style or types have failed, see above; the tests follow" >&2; \
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder || failed=1; \
	exit $$failed

bench: install
	@$(BIN)/python -m pytest tests/bench -o python_files='bench_*.py' -o python_functions='bench_*' --capture=no

# The acceptance tests at full size: up to 100,000 SKUs, 200 shops at 2 AM, and whatever can fail, failing.
soak: install
	@FULL_SIZE=1 $(BIN)/python -m pytest tests/acceptance --capture=no

screenshots: install
	@$(BIN)/python -m tests.browser.screenshots screenshots

lock:
	@command -v $(UV) >/dev/null || { echo "uv is needed: $(PYTHON) -m pip install uv" >&2; exit 1; }
	$(COMPILE) pyproject.toml --output-file requirements/runtime.lock
	$(COMPILE) pyproject.toml --extra embedded --extra dev --output-file requirements/dev.lock
	@# What builds our own wheel in the image: the same as in pyproject.toml.
	sed -n 's/^requires = \["\(.*\)"\]/\1/p' pyproject.toml | $(COMPILE) - --output-file requirements/build.lock

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
