# `make run` serves, `make test` tests everything, `make chaos` does so for more than an hour under faults, `make bench` measures,
# `make fuzz` looks for inputs that break the Socket.IO server. All install what they need where they may.

.PHONY: run test chaos bench fuzz help

run: ## Build and serve on http://127.0.0.1:3000, with ./data as the data directory
	@scripts/need.sh cc cargo
	@echo 'Building; the first time takes some minutes.'
	cargo run --locked --release --package tidings-server -- serve

test: ## Format, lints, every test, the documents' tours, and stock clients
	@scripts/need.sh cc c++ cargo rustfmt clippy node npm curl jq faketime venv javac mvn
	scripts/test.sh

chaos: ## The long reliability tests, more than an hour: each prints what was acknowledged, lost, doubled, reordered
	@scripts/need.sh cc cargo faketime
	scripts/chaos.sh

bench: ## Measure, beside the peer and what the machine can do: about forty minutes; BENCH=--quick for twelve
	@scripts/need.sh cc cargo node npm postgres redis-server taskset setpriv
	scripts/bench.sh $(BENCH)

fuzz: ## Fuzz the Socket.IO server, a minute a target; FUZZ='600 socket' for ten minutes of one; prints what is reached
	@scripts/need.sh cc c++ cargo llvm-tools
	scripts/fuzz.sh --planted --lines $(FUZZ)

help: ## This list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'
