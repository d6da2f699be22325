#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Reviews the document in input.json on the server at AVOW_URL with the key AVOW_API_KEY.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

start_stub receiver python3 "$here/receiver.py"
workflow=$(api GET '/v1/workflows?name=kyc-review&status=published' | field items.0.id)
if [ -z "$workflow" ]; then
  workflow=$(api POST /v1/workflows "@$here/workflow.json" | field id)
  api POST "/v1/workflows/$workflow/publish" > /dev/null
fi
agent=$(api POST /v1/agents '{"display_name": "KYC officer"}' | field id)

input=$(cat "$here/input.json")
run=$(api POST "/v1/workflows/$workflow/execute" "{
  \"agent_id\": \"$agent\",
  \"input\": $input,
  \"parameters\": {\"notify_url\": \"http://127.0.0.1:$port/kyc-decisions\"}
}" | field id)
finish "$run"
echo "the receiver got:"
sed 1d "$scratch/receiver"
