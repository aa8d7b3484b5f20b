# TrialTrace. Everything works on a fresh clone with Python 3.11, make and package access.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
RUNTIME := $(VENV)/.runtime
DEVELOPMENT := $(VENV)/.development
USDM := $(VENV)/usdm/.installed
S3 := $(VENV)/s3/.installed
MUTATE := $(VENV)/mutate/.installed
CORE := .venv-core/.installed
UV := uv==0.13.9
# Named in the environment: the processes among which xdist divides the tests read no -p in time.
PYTEST := PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTEST_PLUGINS=config.pytest_stack,pytest_django.plugin,$\
	pytest_playwright.pytest_playwright,_hypothesis_pytestplugin,xdist.plugin $(PY) -m pytest

# Some images of machines forbid bytecode. Site, worker, parser and tests are many processes, and each
# would compile a thousand modules anew before it begins.
export PYTHONDONTWRITEBYTECODE :=

# Each has a PostgreSQL and a broker of its own.
TEST_PROCESSES ?= 2

.PHONY: help setup setup-dev core core-setup demo serve stop test slow check static-check servers faults faults-short bench bench-patients fuzz mutate lock schema \
	reference-data

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed.")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }

$(RUNTIME): requirements.txt | $(VENV)/bin/python
	@config/install "$(PY)" "$(UV)" requirements.txt
	@touch $@

$(DEVELOPMENT): requirements.txt requirements-dev.txt | $(VENV)/bin/python
	@config/install "$(PY)" "$(UV)" requirements.txt requirements-dev.txt
	@touch $@ $(RUNTIME)

# Another reader of USDM, in an environment of its own: it pins older libraries than we use.
$(USDM): requirements-usdm.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/usdm
	@config/install "$(VENV)/usdm/bin/python" "$(UV)" requirements-usdm.txt
	@touch $@

# An S3 server for the tests, in an environment of its own: see requirements-s3.in.
$(S3): requirements-s3.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/s3
	@config/install "$(VENV)/s3/bin/python" "$(UV)" requirements-s3.txt
	@touch $@

# The tests with what plants faults in the code: an environment of its own, see requirements-mutate.in.
$(MUTATE): requirements.txt requirements-dev.txt requirements-mutate.txt | $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)/mutate
	@config/install "$(VENV)/mutate/bin/python" "$(UV)" requirements.txt requirements-dev.txt \
		requirements-mutate.txt
	@touch $@

# CDISC CORE, in an environment of its own: it needs Python 3.12, see requirements-core.in.
$(CORE): requirements-core.txt
	@python=$$(for one in python3.12 "$$(pyenv prefix 3.12.1 2>/dev/null)/bin/python3.12"; do \
		"$$one" -V >/dev/null 2>&1 && echo "$$one" && break; done) || { \
		echo "Python 3.12 is needed: install python3.12, or pyenv install 3.12.1." >&2; exit 1; }; \
	"$$python" -m venv .venv-core
	@config/install ".venv-core/bin/python" "$(UV)" requirements-core.txt
	@touch $@

setup: $(RUNTIME) ## make .venv with the pinned, hashed requirements

setup-dev: $(DEVELOPMENT) $(USDM) $(S3)

demo: setup ## the main job end to end: phantoms, or SERIES=folder of DICOM files
	@$(PY) -m config.stack run -- $(PY) manage.py demo $(if $(SERIES),--series "$(SERIES)")

serve: setup ## the site with the demo trial, until Ctrl-C or make stop
	@$(PY) -m config.stack serve --then "demo --if-missing" --then published_trial

core-setup: $(CORE) ## make .venv-core with CDISC CORE; needs Python 3.12

core: setup-dev $(CORE) ## hold the demo trial's SDTM to CDISC's rules and terminology
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(PY) -m config.stack run -- sh -c '$(PY) manage.py demo --if-missing && \
		$(PY) manage.py export DEMO --as statistician --reason "Checked by CDISC CORE" \
		--format sdtm-xpt --to "$$1"' - "$$folder/demo.zip" > "$$folder/said" || \
		{ cat "$$folder/said"; exit 1; } && \
	$(PY) -m config.core "$$folder/demo.zip"
	@TRIALTRACE_REQUIRE_CORE=1 $(PYTEST) -m core tests/reporting/test_core.py

stop: setup ## end what make serve started
	@$(PY) -m config.stack stop

test: setup-dev ## the tests, against a real PostgreSQL, broker and worker
	@$(PYTEST) -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder \
		-m "not core and not faults and not fuzz and not servers and not slow" tests

slow: setup-dev ## the tests that take longest: all roles at all addresses, whole days in a browser
	@$(PYTEST) -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder \
		-m "slow and not faults and not fuzz" tests

static-check: setup-dev
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy
	@$(PY) -m config.check

check: static-check test ## format, lint, types, migrations, schema, architecture, then the tests

servers: setup-dev ## the core of the tests and the site, on packaged PostgreSQL and RabbitMQ
	@$(PYTEST) -m servers tests/test_servers.py

faults: setup-dev ## kill workers, brokers and databases in mid-work
	@$(PYTEST) -m faults tests

faults-short: setup-dev ## the fault tests that take less than a minute each
	@$(PYTEST) -m "faults and not slow" tests

bench: setup-dev ## what it costs, side by side with what one would use instead
	@$(PY) -m config.bench

bench-patients: setup-dev ## exports of 1,000 to 10,000 patients beside a site with the demo: seconds, memory, a plot
	@$(PY) -m config.stack run -- $(PY) -m config.bench_patients

reference-data: setup-dev ## real PET headers from the package index, into reference-data/
	@$(PY) -m config.reference_data reference-data

fuzz: setup-dev ## new examples for each property, broken and hostile files at the intake and the loader of trials
	@HYPOTHESIS_PROFILE=fuzz $(PYTEST) -m "fuzz or hypothesis" tests

# Its progress is one line of carriage returns; the score and what survived come after it.
mutate: $(MUTATE) ## plant faults in the SUV modules, and tell those that no test finds
	@PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 HYPOTHESIS_PROFILE=mutate $(VENV)/mutate/bin/mutmut run > mutants.log 2>&1 || \
		{ tr '\r' '\n' < mutants.log | tail -n 20; exit 1; }
	@tr '\r' '\n' < mutants.log | tail -n 3
	@$(VENV)/mutate/bin/mutmut results

schema: setup ## write config/openapi.yaml anew
	@$(PY) -m config.check --write-schema

lock: setup-dev ## redo the hashed locks from requirements.in and requirements-dev.in
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		requirements.in -o requirements.txt
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		requirements-dev.in -o requirements-dev.txt
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		requirements-usdm.in -o requirements-usdm.txt
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		requirements-s3.in -o requirements-s3.txt
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
		requirements-core.in -o requirements-core.txt
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		requirements-mutate.in -o requirements-mutate.txt
