#!/usr/bin/env bash
# Builds what is measured and the load generator, then runs it. Arguments go to it: --quick, --only NAME.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --locked --release --package tidings-server --package tidings-bench
npm ci --prefix bench/peers/node --no-audit --no-fund --loglevel=error
# One descriptor for each socket on each side.
ulimit -n "$(ulimit -Hn)"
binaries=${CARGO_TARGET_DIR:-target}/release
exec "$binaries/tidings-bench" --server "$binaries/tidings" --peer bench/peers/node \
  --out "${CARGO_TARGET_DIR:-target}/bench" "$@"
