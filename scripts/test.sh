#!/usr/bin/env bash
# Everything that must hold, in the order in which it is quickest to know. `make test` calls it.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

step "format"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check

step "the example's packages"
npm ci --prefix examples/node --no-audit --no-fund --loglevel=error

step "lints"
cargo clippy --locked --workspace --all-targets --quiet -- --deny warnings

step "lints of what is shipped, without the tests' features"
cargo clippy --locked --package tidings-server --bins --quiet -- --deny warnings

step "lints of the fuzz targets"
cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}/fuzz-lints" --quiet -- \
  --deny warnings

step "documentation"
RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --quiet

step "tests"
# A thousand sockets and their server in one process.
ulimit -n "$(ulimit -Hn)"
cargo test --locked --workspace --quiet

step "stories of stock clients"
scripts/clients.sh

step "fuzzing, shortly: the corpus, a planted mistake for each target, and a few seconds of new inputs"
scripts/fuzz.sh --planted --fresh 8

step "green"
