#!/usr/bin/env bash
# Makes sure that tools are here: installs what is missing where it may, and names what it cannot get.
#   scripts/need.sh cc cargo node
set -u

missing() {
  case $1 in
    rustfmt) ! cargo fmt --version >/dev/null 2>&1 ;;
    clippy) ! cargo clippy --version >/dev/null 2>&1 ;;
    node) ! node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' >/dev/null 2>&1 ;;
    venv) ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1 ;;
    javac) ! javac --version 2>/dev/null | grep -qE '^javac (1[7-9]|[2-9][0-9])' ;;
    # To read coverage; of the compiler's own version.
    llvm-tools) ! ls "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-cov >/dev/null 2>&1 ;;
    postgres) [ ! -x /usr/lib/postgresql/15/bin/postgres ] || ! command -v psql >/dev/null 2>&1 ;;
    *) ! command -v "$1" >/dev/null 2>&1 ;;
  esac
}

# The distribution's package of a tool, for those that come from there.
package_of() {
  case $1 in
    cc | c++) echo build-essential ;;
    node) echo nodejs ;;
    postgres) echo postgresql-15 ;;
    venv) echo python3-venv ;;
    javac) echo default-jdk-headless ;;
    mvn) echo maven ;;
    taskset | setpriv) echo util-linux ;;
    npm | curl | jq | faketime | redis-server) echo "$1" ;;
  esac
}

install() {
  case $1 in
    rustfmt | clippy | llvm-tools) command -v rustup >/dev/null 2>&1 && rustup component add "$1" ;;
    *)
      local package
      package=$(package_of "$1")
      [ -n "$package" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 &&
        apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y "$package"
      ;;
  esac >&2
}

how_to_get() {
  case $1 in
    cargo) echo "Rust, by rustup (https://rustup.rs); the version is in rust-toolchain.toml" ;;
    rustfmt | clippy | llvm-tools) echo "rustup component add $1" ;;
    node) echo "Node.js 20 or newer" ;;
    venv) echo "Python 3 with venv (Debian: apt-get install python3-venv)" ;;
    javac) echo "a JDK, 17 or newer (Debian: apt-get install default-jdk-headless)" ;;
    cc | c++) echo "a C and C++ compiler (Debian: apt-get install build-essential)" ;;
    *) echo "$1 (Debian: apt-get install $(package_of "$1"))" ;;
  esac
}

failed=0
for tool in "$@"; do
  if missing "$tool"; then
    echo "$tool is missing: trying to install it" >&2
    install "$tool"
    if missing "$tool"; then
      echo "$tool is needed and could not be installed. Install it: $(how_to_get "$tool")" >&2
      failed=1
    fi
  fi
done
exit $failed
