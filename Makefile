# `make run` and `make test` are all that a fresh clone needs: Rust, Python 3.11 and pip.

PYTHON ?= python3
VENV := .venv
BENCH_VENV := .venv-bench

.DEFAULT_GOAL := help
OUTSIDE := $(patsubst tests/outside/check_%.py,outside-%,$(wildcard tests/outside/check_*.py))
.PHONY: help run test fmt clippy rust docs golden outside page notebooks bench clean $(OUTSIDE)

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

run: ## build, and make tiers of the real orders in data/
	@cargo build --release --locked
	@cargo run --release --locked --quiet -- run --config data/tiermill.toml

# Two at a time where nothing is timed: each check waits for itself now and then.
test: fmt clippy rust docs ## every check below
	@cargo build --locked
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target golden notebooks $(OUTSIDE)
	@$(MAKE) --no-print-directory page

fmt: ## the code is formatted
	@echo "== fmt"
	@cargo fmt --check

clippy: ## no lint warns
	@echo "== clippy"
	@cargo clippy --all-targets --locked -- -D warnings

# Doctests are not known to nextest.
rust: ## the Rust tests
	@echo "== rust"
	@if cargo nextest --version >/dev/null 2>&1; then \
		cargo nextest run --locked --status-level slow; \
	else \
		cargo test --locked --all-targets; \
	fi
	@cargo test --locked --doc

docs: ## the documentation builds without warnings
	@echo "== docs"
	@RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

golden: $(VENV)/installed ## scikit-learn still says what tests/data holds
	@echo "== golden"
	@$(VENV)/bin/python tests/golden/make_golden.py --check

outside: $(OUTSIDE) ## published runs, recomputed from the Parquet in Python

$(OUTSIDE): outside-%: $(VENV)/installed
	@echo "== outside: $*"
	@cargo build --locked
	@$(VENV)/bin/python tests/outside/check_$*.py

notebooks: $(VENV)/installed ## the notebooks run from top to bottom and say what they said
	@echo "== notebooks"
	@cargo build --locked
	@$(VENV)/bin/python tests/notebooks/execute.py

page: $(VENV)/installed ## the report page in headless Chromium: Debian's chromium and chromium-driver
	@echo "== page"
	@cargo build --locked
	@$(VENV)/bin/python tests/page/check_page.py

# Nothing else should run meanwhile; ARGS are explained in tests/bench/README.md.
bench: $(BENCH_VENV)/installed ## time and memory beside other tools, into tests/bench/RESULTS.md
	@$(BENCH_VENV)/bin/python tests/bench/bench.py $(ARGS)

$(VENV)/installed: tests/requirements.txt
$(BENCH_VENV)/installed: tests/bench/requirements.txt

$(VENV)/installed $(BENCH_VENV)/installed:
	@echo "== $(@D)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: $(PYTHON) is not Python 3.11 or later; set PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(@D) || \
		{ echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r $<
	@touch $@

clean: ## remove target/, .venv*/ and the runs of `make run` in out/
	@cargo clean
	@rm -rf $(VENV) $(BENCH_VENV) out
