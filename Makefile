# `make help` lists the targets. They work on a fresh Debian 12 or newer with root, cargo and package mirrors.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET := target
RELEASE := $(TARGET)/release
# The shim is linked statically, which needs its target named: procedural macros stay dynamic.
TRIPLE = $(shell rustc -vV | sed -n 's/^host: //p')
SHIM_FLAGS := -C target-feature=+crt-static -C relocation-model=static

.PHONY: help build demo test check bench deps openapi clean-up test-reference install

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: deps-build ## The three binaries, in target/release
	cargo build --release -p berth-daemon -p berth-cli
	RUSTFLAGS="$(SHIM_FLAGS)" cargo build --profile shim -p berth-shim --target $(TRIPLE)
	install -m 755 $(TARGET)/$(TRIPLE)/shim/berth-shim $(RELEASE)/berth-shim
	@ls -l $(RELEASE)/berthd $(RELEASE)/berth-shim $(RELEASE)/berth | awk '{ printf "%10d  %s\n", $$5, $$9 }'

demo: deps-demo build ## Builds, then shows one container from every side and cleans up after itself
	deploy/demo.sh

test: deps build ## Installs what it needs and runs every test (root)
	cargo test --workspace --doc --quiet
	BERTH_TEST_SHIM=$(CURDIR)/$(RELEASE)/berth-shim cargo nextest run --workspace

check: deps-build ## Formatting, lints and the tests that need neither root nor containers
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo nextest run --workspace --profile fast

bench: deps build ## Create + start + wait + remove against Docker's own daemon, and more; fails beyond the budget
	cargo build --release -p berth-e2e --bin berth-bench
	$(RELEASE)/berth-bench

test-reference: deps ## The statements about Docker's behaviour, against a private dockerd
	cargo build -p berth-e2e --bin berth-e2e-reference
	$(TARGET)/debug/berth-e2e-reference cargo nextest run -p berth-e2e --profile reference
	$(TARGET)/debug/berth-e2e-reference cargo nextest run -p berth-cli --run-ignored only -E 'binary(reference)'

openapi: deps-build ## Writes api/openapi.json anew from the code
	BERTH_WRITE_OPENAPI=1 cargo test -p berth-server --lib --quiet openapi
	@git diff --stat -- api/openapi.json || true

install: build ## Installs binaries and the systemd unit below DESTDIR
	install -D -m 755 -t $(DESTDIR)/usr/bin $(RELEASE)/berthd $(RELEASE)/berth-shim $(RELEASE)/berth
	install -D -m 644 -t $(DESTDIR)/usr/lib/systemd/system deploy/berthd.service deploy/berthd.socket

clean-up: ## Removes daemons, containers and directories of tests that were killed
	cargo run --quiet -p berth-e2e --bin berth-e2e-sweep

.PHONY: deps-build deps-demo
deps: ## Installs everything the tests and the benchmark need
	deploy/install-deps.sh build demo test
deps-build:
	@deploy/install-deps.sh build
deps-demo:
	@deploy/install-deps.sh build demo
