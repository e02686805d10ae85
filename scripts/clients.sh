#!/usr/bin/env bash
# Tells the stories of stock Socket.IO clients against the chat example: JavaScript (two versions), Python, Java.
# `make test` calls it. What the clients need is fetched once, and again when it is pinned anew.
set -euo pipefail
cd "$(dirname "$0")/.."

TELLING_SECONDS_MAX=120
START_SECONDS_MAX=10

cargo build --locked --quiet --package tidings-socketio --example chat
target=$(realpath "${CARGO_TARGET_DIR:-target}")
stories=crates/tidings-socketio/tests/clients
fetched=$target/clients

# once DIRECTORY PINS COMMAND...: fetches what the pins say into the directory, unless that was done with these pins.
once() {
  local made_from=$1/.made-from pins=$2
  shift 2
  cmp --quiet "$pins" "$made_from" && return
  "$@"
  cp "$pins" "$made_from"
}

fetch_python() {
  python3 -m venv --clear "$fetched/python"
  "$fetched/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$stories/python/requirements.txt"
}

fetch_java() {
  mvn --quiet --batch-mode --file "$stories/java/pom.xml" -Dmaven.repo.local="$fetched/maven" \
    dependency:copy-dependencies -DoutputDirectory="$fetched/java"
}

once "$stories/node/node_modules" "$stories/node/package-lock.json" \
  npm ci --prefix "$stories/node" --no-audit --no-fund --loglevel=error
once "$fetched/python" "$stories/python/requirements.txt" fetch_python
once "$fetched/java" "$stories/java/pom.xml" fetch_java

export ADMIN_PASSWORD=of-the-stories
exec 3< <(HOST=127.0.0.1 PORT=0 exec "$target/debug/examples/chat")
server=$!
trap 'kill "$server"' EXIT
read -r -t "$START_SECONDS_MAX" listening <&3
url=http://127.0.0.1:${listening##*:}

told=$(mktemp)
tell() { timeout "$TELLING_SECONDS_MAX" "$@" | tee --append "$told" || echo "FAILED  to the end: $*" | tee --append "$told"; }

tell node "$stories/node/stories.mjs" "$url" 4.8
tell node "$stories/node/stories.mjs" "$url" 4.5
tell "$fetched/python/bin/python" "$stories/python/stories.py" "$url"
tell java -cp "$fetched/java/*" "$stories/java/Stories.java" "$url"

failed=$(grep -c '^FAILED' "$told" || true)
echo "clients: $(grep -c '^ok' "$told" || true) passed, $failed failed"
rm "$told"
[ "$failed" = 0 ]
