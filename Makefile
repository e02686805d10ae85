# `make run` serves, `make test` tests everything, `make chaos` does so for an hour under faults, `make bench` measures.
# All install what they need where they may.

.PHONY: run test chaos bench help

run: ## Build and serve on http://127.0.0.1:3000, with ./data as the data directory
	@scripts/need.sh cc cargo
	@echo 'Building; the first time takes some minutes.'
	cargo run --locked --release --package tidings-server -- serve

test: ## Format, lints, every test, and the README's tour
	@scripts/need.sh cc cargo rustfmt clippy node npm curl
	scripts/test.sh

# `make run` serves, `make test` tests everything, `make chaos` does so for an hour under faults, `make bench` measures.
# All install what they need where they may.

.PHONY: run test chaos bench help

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'
