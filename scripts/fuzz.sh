#!/usr/bin/env bash
# Fuzzes the Socket.IO server on the toolchain that builds it, without cargo-fuzz. Fails on a finding.
#   scripts/fuzz.sh [--planted] [--fresh] [--lines] [--merge] [seconds per target [target…]]
# --planted: first, each target must find the mistake that is planted for it.
# --fresh: begin from the corpus alone, without what earlier runs here have found.
# --lines: at last, which lines of the product the inputs reach.
# --merge: what was found goes into the corpus, as far as it reaches something new.
set -euo pipefail
cd "$(dirname "$0")/.."

planted='' fresh='' lines='' merge=''
while [[ ${1:-} == --* ]]; do
  case $1 in
    --planted | --fresh | --lines | --merge) declare "${1#--}=yes" ;;
    *) sed -n '3,7s/^# *//p' "$0" >&2 && exit 2 ;;
  esac
  shift
done
seconds=${1:-60}
targets=("${@:2}")
[ ${#targets[@]} -gt 0 ] || targets=(head engine socket websocket connection polling)

# Inputs reach every limit of the targets well below this.
input_bytes_max=4096
# A target makes thousands of runs a second: one that takes so long hangs, whatever else the machine does.
run_seconds_max=20
planted_seconds_max=60
# What libFuzzer ends with when a check has panicked.
found_code=77

built=$(realpath -m "${CARGO_TARGET_DIR:-target}")/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
logs=$built/logs
mkdir -p "$logs"

# Naming the machine keeps the flags from build scripts, which have no fuzzer to link to.
build() {
  env --unset=CARGO_ENCODED_RUSTFLAGS RUSTFLAGS="$2" cargo build --locked --quiet --release \
    --manifest-path fuzz/Cargo.toml --target-dir "$1" --target "$host"
}

dictionary_of() {
  case $1 in
    head) echo fuzz/dictionaries/heads.dict ;;
    websocket) echo fuzz/dictionaries/frames.dict ;;
    *) echo fuzz/dictionaries/packets.dict ;;
  esac
}

# fuzz TARGET LOG ARTIFACTS [argument…]: every input that is there, then new ones.
fuzz() {
  mkdir -p "$3"
  "$built/$host/release/$1" -dict="$(dictionary_of "$1")" -max_len=$input_bytes_max -timeout=$run_seconds_max \
    -artifact_prefix="$3/" -print_final_stats=1 "${@:4}" >"$2" 2>&1
}

build "$built" "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares --cfg=fuzzing"

failed=0
for target in "${targets[@]}"; do
  log=$logs/$target.log
  if [ -n "$planted" ]; then
    began=$EPOCHREALTIME code=0
    scratch=$(mktemp --directory)
    TIDINGS_FUZZ_PLANTED=1 fuzz "$target" "$log" "$built/planted" \
      -max_total_time=$planted_seconds_max "$scratch" "fuzz/corpus/$target" || code=$?
    if [ $code = $found_code ]; then
      awk "BEGIN { printf \"%-10s  the planted mistake was found in %.1f s\n\", \"$target\", $EPOCHREALTIME - $began }"
    else
      echo "$target: the planted mistake was not found in $planted_seconds_max s ($log)" >&2
      failed=1
    fi
    rm -r "$scratch"
  fi
  found=$built/found/$target
  if [ -n "$fresh" ]; then
    found=$built/fresh/$target
    rm -rf "$found"
  fi
  mkdir -p "$found"
  if fuzz "$target" "$log" "fuzz/artifacts/$target" -max_total_time="$seconds" "$found" "fuzz/corpus/$target"; then
    # libFuzzer's own counters: edges of the program, and how often each was taken.
    sed -nE "s/^#([0-9]+)\s+DONE\s+(cov: [0-9]+ ft: [0-9]+ corp: [0-9]+).*exec\/s: ([0-9]+).*/\1 runs, \3 a second, \2/p" \
      "$log" | xargs -d '\n' printf '%-10s  %s\n' "$target"
  else
    grep -A 8 -E 'panicked at|ERROR: libFuzzer' "$log" | cut -c 1-400 >&2 || true
    echo "$target: a finding; the whole of it is in $log, and the input in:" >&2
    sed -n 's/.*Test unit written to //p' "$log" >&2
    failed=1
  fi
done

if [ -n "$merge" ]; then
  for target in "${targets[@]}"; do
    least=$(mktemp --directory)
    # Edges alone, the fewest inputs that reach them all: a corpus that can be looked at.
    fuzz "$target" "$logs/$target-merge.log" "fuzz/artifacts/$target" -use_counters=0 -set_cover_merge=1 \
      "$least" "fuzz/corpus/$target" "$built/found/$target"
    rm -r "fuzz/corpus/$target" && mv "$least" "fuzz/corpus/$target" && chmod 755 "fuzz/corpus/$target"
    printf '%-10s  %s inputs in the corpus\n' "$target" "$(find "fuzz/corpus/$target" -type f | wc -l)"
  done
fi

if [ -n "$lines" ]; then
  build "$built/lines" "-Cinstrument-coverage --cfg=fuzzing"
  tools=$(echo "$(rustc --print sysroot)"/lib/rustlib/*/bin)
  profiles=() objects=()
  for target in "${targets[@]}"; do
    binary=$built/lines/$host/release/$target
    LLVM_PROFILE_FILE=$built/lines/$target.profraw \
      "$binary" -runs=0 "fuzz/corpus/$target" "$built/found/$target" >"$logs/$target-lines.log" 2>&1
    # The first one stands without its option.
    profiles+=("$built/lines/$target.profraw") objects+=(${objects[0]:+--object} "$binary")
  done
  "$tools/llvm-profdata" merge --sparse "${profiles[@]}" --output "$built/lines/all.profdata"
  "$tools/llvm-cov" report "${objects[@]}" --instr-profile "$built/lines/all.profdata" \
    --show-branch-summary=false --show-region-summary=false "$PWD/crates/tidings-socketio/src"
fi
exit $failed
