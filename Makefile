# The single door. `make` alone lists what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO := $(shell command -v cargo 2>/dev/null || echo "$$HOME/.cargo/bin/cargo")
BIN := target/release/scrybe-keys

.PHONY: help demo test check bench soak completions install

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: ## Rotate a clinic's data key for show: sets up all it needs, kills itself half-way, carries on
	@.ci/need rust cc postgresql
	@demo/run

test: ## Run every test on a real PostgreSQL and the embedded AWS endpoint; sets up all it needs
	@.ci/need rust cc postgresql python
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
		$(CARGO) nextest run --locked; \
	else \
		echo "cargo-nextest is not installed: using cargo test (slower; get it with 'cargo install cargo-nextest --locked')"; \
		$(CARGO) test --locked; \
	fi

check: ## Formatting, lints, licences and sources of dependencies
	@.ci/need rust cc
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@if $(CARGO) deny --version >/dev/null 2>&1; then \
		echo "cargo deny check licenses bans sources"; \
		$(CARGO) deny --locked check licenses bans sources; \
		echo "NOT CHECKED: advisories. Their database is not fetched here; run 'cargo deny check advisories' where the network allows it."; \
	else \
		echo "NOT CHECKED: licences, bans, sources and advisories of dependencies: cargo-deny is not installed ('cargo install cargo-deny --locked')."; \
	fi

bench: ## Speed beside PostgreSQL alone and the application's way; ARGS="--notes 1000000 --rounds 3" and more
	@.ci/need rust cc postgresql python
	$(CARGO) build --release --locked
	$(CARGO) build --release --locked --bench row_by_row
	@benches/measure $(BIN) $(ARGS)

soak: ## Kill joined processes at random for a long time (SOAK_MINUTES=10); not part of any gate
	@.ci/need rust cc postgresql python
	SOAK_MINUTES="$${SOAK_MINUTES:-10}" $(CARGO) test --locked --test all -- soak_ --nocapture

completions: ## Write the shell completions again
	$(CARGO) build --locked
	target/debug/scrybe-keys completions bash > completions/scrybe-keys.bash
	target/debug/scrybe-keys completions zsh > completions/_scrybe-keys
	target/debug/scrybe-keys completions fish > completions/scrybe-keys.fish

install: ## Install the program with cargo
	$(CARGO) install --locked --path .
