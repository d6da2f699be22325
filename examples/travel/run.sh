#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Books a journey with a good card, and then with one that is refused, on the server at AVOW_URL with
# the key AVOW_API_KEY.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

start_stub agency python3 "$here/agency.py"
workflow=$(api GET '/v1/workflows?name=book-travel&status=published' | field items.0.id)
if [ -z "$workflow" ]; then
  workflow=$(api POST /v1/workflows "@$here/workflow.json" | field id)
  api POST "/v1/workflows/$workflow/publish" > /dev/null
fi
agent=$(api POST /v1/agents '{"display_name": "travel clerk"}' | field id)

# book CARD: the id of the run.
book() {
  api POST "/v1/workflows/$workflow/execute" "{
    \"agent_id\": \"$agent\",
    \"input\": {
      \"hotels\": [{\"name\": \"Grand\", \"price\": 180}, {\"name\": \"Station\", \"price\": 90}],
      \"flights\": [{\"name\": \"AV1\", \"price\": 210}, {\"name\": \"AV2\", \"price\": 340}],
      \"card\": \"$1\"
    },
    \"parameters\": {\"agency\": \"http://127.0.0.1:$port\"}
  }" | field id
}

finish "$(book good)"
echo "and with a card that is refused:"
if finish "$(book refused)"; then
  echo "a run whose payment was refused must not complete" >&2
  exit 1
fi
echo "the agency did:"
sed 1d "$scratch/agency"
