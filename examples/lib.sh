# SPDX-License-Identifier: Apache-2.0
# What the examples share; sourced by their run.sh. Needs curl and python3.
set -eu
: "${AVOW_URL:?set AVOW_URL to the address of a server, such as http://127.0.0.1:8080}"
: "${AVOW_API_KEY:?set AVOW_API_KEY to an API key}"

scratch=$(mktemp -d)
children=
clean_up() {
  for child in $children; do kill "$child" 2>/dev/null || true; done
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# api METHOD PATH [BODY]: the answer's body; a refusal ends the script with the server's words.
api() {
  status=$(curl -sS -o "$scratch/answer" -w '%{http_code}' -X "$1" "$AVOW_URL$2" \
    -H "X-API-Key: $AVOW_API_KEY" -H 'Content-Type: application/json' ${3:+--data "$3"})
  case $status in
    2*) cat "$scratch/answer" ;;
    *) echo "$1 $2 answered $status: $(cat "$scratch/answer")" >&2; return 1 ;;
  esac
}

# field PATH: one member of the JSON on standard input, as in `field items.0.id`; empty if it is not there.
field() {
  python3 -c '
import json, sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."):
    if isinstance(value, list):
        value = value[int(name)] if int(name) < len(value) else None
    else:
        value = (value or {}).get(name)
print("" if value is None else value if isinstance(value, str) else json.dumps(value))' "$1"
}

# start_stub NAME COMMAND...: runs a stub that prints its port as its first line; the port is in $port,
# and what it prints in $scratch/NAME.
start_stub() {
  stub=$1
  shift
  "$@" > "$scratch/$stub" &
  children="$children $!"
  tries=0
  until [ -s "$scratch/$stub" ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "$stub did not start" >&2; exit 1; }
    sleep 0.1
  done
  port=$(head -n 1 "$scratch/$stub")
}

# finish RUN: waits for the end of a run, prints its steps and its output; fails if it did not complete.
finish() {
  run=$(api GET "/v1/orchestrations/$1?wait=60")
  printf '%s' "$run" | python3 -c '
import json, sys
run = json.load(sys.stdin)
print("run", run["id"], run["status"])
for step in run["steps"]:
    print("  %2d  %-24s %-16s %s" % (step["step_number"], step["name"], step["type"], step["status"]))
print(json.dumps(run.get("output", run.get("error")), indent=2))
sys.exit(0 if run["status"] == "completed" else 1)'
}
