#!/usr/bin/env bash
# The long versions of the reliability tests, optimised; each prints its line. `make chaos` calls it.
#   scripts/chaos.sh           everything, about an hour
#   scripts/chaos.sh r1 r5     some of it
set -euo pipefail
cd "$(dirname "$0")/.."

# How long: see crates/tidings-testkit/src/scale.rs. What is set already stays.
export TIDINGS_R1_ROUNDS=${TIDINGS_R1_ROUNDS:-1000}
export TIDINGS_CHANGES_ROUNDS=${TIDINGS_CHANGES_ROUNDS:-300}
export TIDINGS_R2_SEEDS=${TIDINGS_R2_SEEDS:-10000}
export TIDINGS_R3_SEEDS=${TIDINGS_R3_SEEDS:-20}
export TIDINGS_R4_SEEDS=${TIDINGS_R4_SEEDS:-400}
export TIDINGS_R5_SEEDS=${TIDINGS_R5_SEEDS:-50}
export TIDINGS_R7_SEEDS=${TIDINGS_R7_SEEDS:-10}
export TIDINGS_R16_EVENTS=${TIDINGS_R16_EVENTS:-50000}
export TIDINGS_R16_READERS=${TIDINGS_R16_READERS:-200}
export TIDINGS_R17_ONLINE=${TIDINGS_R17_ONLINE:-2000}
export TIDINGS_R18_ROUNDS=${TIDINGS_R18_ROUNDS:-2000}
export TIDINGS_R18_SEEDS=${TIDINGS_R18_SEEDS:-50}
export TIDINGS_R20_SEEDS=${TIDINGS_R20_SEEDS:-30}
export TIDINGS_CHAOS_SECONDS=${TIDINGS_CHAOS_SECONDS:-600}

# Each finds its tests by name, in whichever crate they are.
runs=(r1_ changes_ r2_ r3_ r4_ r5_ r7_ r16_ r17_ r18_ r20_ chaos_)
[ $# -gt 0 ] && runs=("${@/%/_}")

# Tests build the binary with fail points: not where the one that people start is.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-target}/chaos

cargo test --locked --release --workspace --no-run --quiet
failed=()
for run in "${runs[@]}"; do
  printf '\n== %s (%s s)\n' "${run%_}" "$SECONDS"
  # One at a time: what one test does to the machine is no fault of another's.
  cargo test --locked --release --workspace --quiet -- "$run" --nocapture --test-threads 1 2>&1 |
    grep -v -e '^$' -e '^running 0 tests' -e ' 0 passed; 0 failed' || failed+=("${run%_}")
done

[ ${#failed[@]} -eq 0 ] || { printf '\n== failed: %s\n' "${failed[*]}"; exit 1; }
printf '\n== green (%s s)\n' "$SECONDS"
