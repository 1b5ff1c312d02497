# Two commands matter: `make demo` and `make test`. Both make the virtual environment they need.
PYTHON ?= python3
VENV ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint bench season dft clean

demo: $(VENV)/.installed
	$(BIN)/nucleate design "Li-Fe-O, 5 candidates" --out runs/demo --overwrite

test: $(VENV)/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pre-commit run --all-files

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/run.py

# trainings that take days, see docs/season.md; may be interrupted and called again at any time
season: $(VENV)/.installed
	nice -n 19 $(BIN)/python scripts/season.py

# GPAW is a source package: built with a C++ compiler alone, in a minute
dft: $(VENV)/.installed
	printf "mpi = False\ncompiler = 'g++'\nnoblas = True\nnolibxc = True\nlibraries = []\n" > $(VENV)/gpaw-config.py
	GPAW_CONFIG="$(abspath $(VENV))/gpaw-config.py" $(PIP) -e ".[dft]"
	$(BIN)/python -c "import gpaw; print('GPAW', gpaw.__version__)"

$(VENV)/bin/python:
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'nucleate needs Python 3.11 or newer; set PYTHON=...')"
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e .
	touch $@

$(VENV)/.dev: pyproject.toml packages/papers/pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e ".[dev]" -e packages/papers
	$(BIN)/python scripts/language_model.py $(VENV)/language-model || echo "no language model: its test will be skipped"
	touch $@

clean:
	rm -rf $(VENV) build dist
