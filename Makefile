# The two commands: `make` draws the paper, `make test` checks everything.  CORES=8 sets the number of processes.

CORES ?= all
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
HASHED := --require-hashes --no-deps

# Stamps of the sets of distributions, one for each lock file of requirements/.
locked = $(foreach set,$(1),$(VENV)/.$(set))

.PHONY: all install test test-quick coverage mutants lint docs bench wheel lock schema clean
.DELETE_ON_ERROR:
# The sets of distributions share an environment.
.NOTPARALLEL:

all: install
	$(BIN)/snakemake --cores $(CORES)

install: $(INSTALLED)

test: install $(call locked,test)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 16 --dist worksteal --junitxml build/tests.xml

# For a change of the mathematics: optimizers, models, solvers and their analysis, without a workflow or a drawing.
test-quick: install $(call locked,test)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 16 --dist worksteal -m "not workflow and not browser and not slow" \
	  tests/analysis tests/discrete tests/models tests/optimizers tests/prediction tests/solvers

# Lines and branches of src/ that the tests run, into docs/unreached.md; fails below what pyproject.toml demands.
coverage: install $(call locked,test)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 16 --dist worksteal --cov --cov-report term-missing
	$(BIN)/python docs/unreached.py

# Which changes of the core no test notices; an hour.  MUTANTS="idescent.models.*" is a part of it.
mutants: install $(call locked,test development)
	OPENBLAS_NUM_THREADS=1 $(BIN)/mutmut run --max-children 1 $(MUTANTS) >/dev/null
	$(BIN)/python docs/mutants.py

lint: install $(call locked,development)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "idescent needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

# uv installs faster than pip.  It ignores pip's configuration (mirrors, proxies) and lacks some platforms: pip takes over
# where uv fails.
$(VENV)/.installer: requirements/installer.lock | $(VENV)/.python
	$(PIP) install $(HASHED) --no-compile -r $< || echo "uv cannot be installed here; pip does its work"
	touch $@

# Everything that is installed is named, with its hash, in requirements/*.lock.  --no-deps: older versions of pip look a package
# with extras up anew, find the release of today, which has no hash here, and give up.  `pip check` sees that none is missing.
$(VENV)/.run $(VENV)/.test $(VENV)/.docs $(VENV)/.development $(VENV)/.wheel: $(VENV)/.%: requirements/%.lock | $(VENV)/.installer
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode $(HASHED) -r $< \
	  || { echo "uv did not install $<; pip does"; $(PIP) install $(HASHED) -r $<; }
	$(BIN)/python -m pip check --disable-pip-version-check >/dev/null
	touch $@

$(VENV)/.test $(VENV)/.docs $(VENV)/.development $(VENV)/.wheel: | $(VENV)/.run

# The compiled kernels refuse to run if their source is newer than they are.
$(INSTALLED): $(VENV)/.run pyproject.toml setup.py src/idescent/discrete/_kernels.c
	$(PIP) install --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src
	touch $@

# The site: build/site/index.html.  The gallery and the findings show the results of `make`.
docs: install $(call locked,docs)
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site

# More than an hour on two quiet cores; BENCH=quick takes a minute, to see that everything runs.
bench: install $(call locked,test)
	$(BIN)/python benchmarks/run.py $(if $(filter quick,$(BENCH)),--quick)

# One wheel for this platform, into dist/; on Linux with the oldest manylinux tag that the compiled kernels allow.
wheel: install $(call locked,wheel)
	rm -rf build/wheel
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir build/wheel .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir dist build/wheel/*.whl || { mkdir -p dist; cp build/wheel/*.whl dist/; }

# Needs uv on the PATH; for those who change the dependencies in pyproject.toml.
lock:
	$(PYTHON) requirements/lock.py

schema: install
	$(BIN)/python -m idescent job schema > workflow/schemas/config.schema.json

# Results stay: they are what the time was spent on.
clean:
	rm -rf $(VENV) .snakemake build mutants .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf src/idescent.egg-info src/idescent/discrete/_kernels.*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
