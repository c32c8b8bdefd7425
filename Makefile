# The commands for people. Each target sets up its own needs.
.PHONY: run test setup setup-test fmt lint bench fuzz docs

CARGO ?= cargo
# What a usual build leaves out is tested too.
FEATURES := --features hallway-cli/otlp
VENV := .venv
# An S3-compatible server that the tests use. Built without optimisation, in a quarter of the time.
OBJECT_STORE := garage@2.5.0 --no-default-features --features bundled-libs,sqlite
PYTHON := $(VENV)/bin/python
# Floors and circles: docs/ARCHITECTURE.md. The test needs std alone, so rustc builds it in seconds.
HOUSE := target/house

run: setup
	$(CARGO) run --release --quiet --package hallway-cli -- tour

# Unit, property and contract tests, then the journeys that drive real programs.
test: setup-test $(VENV)/ready target/garage/bin/garage
	$(CARGO) build --locked --workspace --all-targets $(FEATURES)
	$(CARGO) test --locked --workspace --quiet $(FEATURES)
	scripts/check-no-std
	$(PYTHON) -m pytest --numprocesses 2 --dist loadfile tests

setup:
	@scripts/setup

setup-test:
	@scripts/setup test

$(VENV)/ready: tests/requirements.txt | setup-test
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --requirement tests/requirements.txt
	touch $@

target/garage/bin/garage:
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install --quiet --debug --locked --root target/garage $(OBJECT_STORE)

# The files one by one, because `cargo fmt` does not see other workspaces.
RUST_FILES = $(shell find crates bench fuzz -name target -prune -o -name '*.rs' -print)
RUSTFMT = rustfmt --edition 2024

fmt:
	@$(RUSTFMT) $(RUST_FILES)

lint: $(HOUSE)
	@$(RUSTFMT) --check $(RUST_FILES)
	@$(HOUSE) --quiet
	$(CARGO) clippy --locked --workspace --all-targets $(FEATURES) -- --deny warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		$(CARGO) deny check licenses bans sources; \
	else \
		echo "NOT CHECKED: licences, duplicates and sources of dependencies (deny.toml)."; \
		echo "Install cargo-deny: $(CARGO) install --locked cargo-deny"; \
	fi

$(HOUSE): $(wildcard crates/gateway/tests/house/*.rs)
	@mkdir -p $(@D)
	CARGO_MANIFEST_DIR=$(CURDIR)/crates/gateway rustc --edition 2024 --test -o $@ crates/gateway/tests/house/main.rs

docs:
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --workspace --no-deps

bench:
	$(CARGO) bench --locked --package hallway-bench

fuzz:
	scripts/fuzz
