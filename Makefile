# make demo    transcode a real clip through the chip into a ladder and print the report
# make test    set up and pass the tests
# make lint    style, types and generated files only
# make clean   remove what the others made (compiled kernels stay: tasic doctor --clear-kernels)
#
# Everything goes into .venv, from the Python index; nothing else on the machine is touched. PYTHON=python3.12 chooses.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-output
# Processes that pytest uses.
JOBS ?= 2
# Options for pytest, e.g. `make test PYTEST=-v` or `make test PYTEST="-m slow"`.
PYTEST ?=

.PHONY: demo test lint format clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(BIN)/python -m cli.demo $(DEMO)

# Builds inside the tests run make themselves: they must not inherit this one's flags.
test: lint
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u MAKEOVERRIDES $(BIN)/python -m pytest -n $(JOBS) --dist loadfile -q $(PYTEST)

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m asic_model.registers.generate --check
	$(BIN)/python -m firmware.build --check
	$(BIN)/python -m rtl_tests.transform.package --check
	$(BIN)/python -m rtl_tests.deblock.package --check
	$(BIN)/python -m rtl_tests.entropy.package --check
	$(BIN)/python -m rtl_tests.intra_prediction.package --check

format: $(VENV)/.tested
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "tasic needs Python 3.11 or newer; choose one with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "no venv from $(PYTHON); on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.tested: pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test,registers,firmware,rtl,area]'
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) $(DEMO) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
