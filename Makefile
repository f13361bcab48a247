# foldsim's tasks. Needs Python 3.11 or newer with pip, and make; everything else goes into .venv on first use.
#   make                     what there is
#   make sweep               the main job on the shipped data
#   make sweep ARGS="-w emformer-rnnt-base -p my-chip.yaml"
#   make test PYTHON=/usr/local/bin/python3.12     PYTHON counts when .venv is made: `make clean` before changing it

PYTHON ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check

# What is installed is remembered in these files; they go away with .venv.
MADE := $(VENV)/.made
RUN := $(VENV)/.installed
DEV := $(VENV)/.installed-dev
DOCS := $(VENV)/.installed-docs
PACKAGING := pyproject.toml hatch_build.py simulator/foldsim/_version.py

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
THIS_VERSION := import sys; print("%d.%d.%d" % sys.version_info[:3])

DOCS_SCRIPT := docs/build.py
GALLERY_SCRIPT := plots/gallery.py
BENCH_SCRIPT := benchmarks/run.py

# A second environment with the oldest versions that pyproject.toml allows. Python 3.11 or 3.12: newer ones have no
# wheels of them. Newer libraries below these versions warn of deprecations; the tests there do not fail on a warning.
OLDEST := .venv-oldest
OLDEST_TESTS := tests/schema tests/model/test_evaluate.py tests/cli/test_sweep.py tests/cli/test_other_commands.py \
	tests/cli/test_profile_commands.py

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help sweep test test-oldest lint types mutants docs site gallery bench clean

help: ## list these targets
	@echo 'make TARGET [ARGS="..."] [PYTHON=/path/to/python3]'
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)$$/  \1|\2/p' Makefile | awk -F'|' '{printf "%-13s %s\n", $$1, $$2}'

sweep: $(RUN) ## run `foldsim sweep $(ARGS)`: the table, and where the results and plots are
	@$(BIN)/foldsim sweep $(ARGS)

test: $(DEV) ## everything that must pass: lint, import contracts, types, tests (ARGS go to pytest)
	@$(run_lint)
	@$(run_mypy)
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(ARGS)

test-oldest: $(OLDEST)/.installed ## tests with the oldest dependencies that pyproject.toml allows (Python 3.11 or 3.12)
	@$(OLDEST)/bin/python -m pytest -W default --disable-warnings $(OLDEST_TESTS) $(ARGS)

lint: $(DEV) ## ruff check, ruff format --check and the import contracts
	@$(run_lint)

types: $(DEV) ## mypy (strict) and pyright
	@$(run_mypy)
	@$(BIN)/pyright --pythonpath $(BIN)/python

mutants: $(DEV) ## change the code of the model a little, and count the changes that tests detect
	@$(call run_script,tools/mutants.py)

docs: $(DEV) ## make the generated pages of docs/
	@$(call run_script,$(DOCS_SCRIPT))

site: $(DOCS) ## build the documentation site into build/site; a warning or a dead link is an error
	@rm -rf build/site
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --fresh-env --quiet \
	    --conf-dir docs --doctree-dir build/doctrees . build/site $(ARGS)
	@echo "build/site/index.html"

gallery: $(DEV) ## make the figures of plots/gallery/
	@$(call run_script,$(GALLERY_SCRIPT))
	@$(call run_script,plots/variants.py)
	@$(call run_script,plots/compression.py)

bench: $(DEV) ## measure the speed claims of benchmarks/
	@$(call run_script,$(BENCH_SCRIPT))

clean: ## remove .venv, caches and build outputs (results stay)
	rm -rf $(VENV) $(OLDEST) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find simulator tests plots benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

define run_lint
set -e; \
$(BIN)/ruff check .; \
$(BIN)/ruff format --check .; \
$(BIN)/lint-imports --no-logo
endef

define run_mypy
$(BIN)/mypy
endef

define run_script
if [ ! -f $(1) ]; then echo "make: $(1) is not in this checkout" >&2; exit 1; fi; $(BIN)/python $(1) $(ARGS)
endef

$(DOCS): $(DEV)
	@echo "foldsim: installing the documentation tools into $(VENV) (once, half a minute or so)"
	@$(PIP_INSTALL) --editable '.[docs]'
	@touch $@

$(OLDEST)/.installed: $(MADE) $(PACKAGING) tools/oldest.py
	@echo "foldsim: making $(OLDEST) with the oldest dependencies"
	@rm -rf $(OLDEST)
	@$(BIN)/python -m venv --without-pip $(OLDEST)
	@$(BIN)/python tools/oldest.py > $(OLDEST)/oldest.txt
	@$(BIN)/python -m pip --python $(OLDEST)/bin/python install -qq --disable-pip-version-check --only-binary :all: \
	    --constraint $(OLDEST)/oldest.txt --editable . pytest hypothesis
	@touch $@

# The development install waits for the plain one, so that `make -j` never runs two pips in one .venv.
$(DEV): $(RUN)
	@echo "foldsim: installing the development tools into $(VENV) (once, a minute or so)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@

$(RUN): $(MADE) $(PACKAGING)
	@echo "foldsim: installing foldsim and its dependencies into $(VENV) (once, a minute or so)"
	@$(PIP_INSTALL) --editable .
	@touch $@

# A .venv that is there and works is used as it is. Otherwise: the venv module; where Debian has left out ensurepip,
# venv without pip and then the pip of the Python outside; where venv is missing too, virtualenv fetched by pip.
$(MADE):
	@set -eu; \
	here=$(BIN)/python; \
	if [ -x $$here ] && $$here -c '$(NEW_ENOUGH)' \
	   && { $$here -m pip --version || $$here -m ensurepip; } >/dev/null 2>&1; then \
	    touch $@; exit 0; \
	fi; \
	py='$(PYTHON)'; \
	for try in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	    if [ -z "$$py" ] && "$$try" -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then py=$$try; fi; \
	done; \
	if [ -z "$$py" ]; then \
	    echo "foldsim needs Python 3.11 or newer, and found none: python3 is" \
	         "$$(python3 -c '$(THIS_VERSION)' 2>/dev/null || echo missing)." >&2; \
	    echo "Install one, or name one: make PYTHON=/path/to/python3.12 ..." >&2; exit 1; \
	fi; \
	if ! found=$$("$$py" -c '$(THIS_VERSION)' 2>/dev/null); then \
	    echo "PYTHON=$$py does not run; give the path of a Python 3.11 or newer." >&2; exit 1; \
	fi; \
	if ! "$$py" -c '$(NEW_ENOUGH)'; then \
	    echo "foldsim needs Python 3.11 or newer; PYTHON=$$py is $$found." >&2; exit 1; \
	fi; \
	echo "foldsim: making $(VENV) with Python $$found"; \
	fetched=$$(mktemp -d); trap 'rm -rf "$$fetched"' EXIT; \
	if why=$$("$$py" -m venv --clear $(VENV) 2>&1); then :; \
	elif rm -rf $(VENV); "$$py" -m venv --without-pip $(VENV) >/dev/null 2>&1 \
	     && "$$py" -m pip --python $$here install -qq --disable-pip-version-check pip >/dev/null 2>&1; then :; \
	elif rm -rf $(VENV); "$$py" -m pip install -qq --disable-pip-version-check --target "$$fetched" virtualenv \
	         >/dev/null 2>&1 && PYTHONPATH="$$fetched" "$$py" -m virtualenv --quiet $(VENV) >/dev/null 2>&1; then :; \
	else \
	    rm -rf $(VENV); \
	    echo "Could not make a virtual environment with $$py; its venv module said:" >&2; \
	    printf '%s\n' "$$why" | sed 's/^/    /' >&2; \
	    echo "Debian and Ubuntu keep that in a package of its own: apt-get install python3-venv, then make again." >&2; \
	    exit 1; \
	fi; \
	touch $@
