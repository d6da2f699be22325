#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Asks two people for a payment on the server at AVOW_URL with the key AVOW_API_KEY, which starts the run.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

workflow=$(api GET '/v1/workflows?name=payment-approval&status=published' | field items.0.id)
if [ -z "$workflow" ]; then
  workflow=$(api POST /v1/workflows "@$here/workflow.json" | field id)
  api POST "/v1/workflows/$workflow/publish" > /dev/null
fi
approver='{"name": "an approver", "scopes": ["approvals:write", "orchestrations:read"]}'
first=$(api POST /v1/api-keys "$approver" | field api_key)
second=$(api POST /v1/api-keys "$approver" | field api_key)

run=$(api POST "/v1/workflows/$workflow/execute" \
  '{"input": {"payee": "Nordic Paper AB", "amount": 12500}}' | field id)
asked=$(api GET "/v1/orchestrations/$run")
echo "waiting for: $(echo "$asked" | field waiting_for)"
echo "asked:       $(echo "$asked" | field steps.1.approval.prompt)"
digest=$(echo "$asked" | field steps.1.approval.subject_digest)

decide="/v1/orchestrations/$run/approvals/approval"
if api POST "$decide" '{"decision": "approve"}' > /dev/null 2> "$scratch/refusal"; then
  echo "whoever started the run could approve it" >&2
  exit 1
fi
echo "the starter: $(cat "$scratch/refusal")"
for key in "$first" "$second"; do
  (AVOW_API_KEY=$key
   api POST "$decide" "{\"decision\": \"approve\", \"subject_digest\": \"$digest\"}") > /dev/null
done
finish "$run"
