#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs an order on the server at AVOW_URL with the key AVOW_API_KEY, then its last step once more.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

# published NAME FILE: the id of the published workflow, which is made if it is not there.
published() {
  id=$(api GET "/v1/workflows?name=$1&status=published" | field items.0.id)
  if [ -z "$id" ]; then
    id=$(api POST /v1/workflows "@$here/$2" | field id)
    api POST "/v1/workflows/$id/publish" > /dev/null
  fi
  echo "$id"
}

published check-item check-item.json > /dev/null
order=$(published order order.json)
parent=$(api POST "/v1/workflows/$order/execute" '{"input": {
  "first": {"sku": "bolt", "quantity": 50},
  "second": {"sku": "nut", "quantity": 50}
}}' | field id)
finish "$parent"

child=$(api GET "/v1/orchestrations/$parent" | field steps.0.child_orchestration_id)
echo
echo "the run that the step \"first\" started:"
finish "$child"

again=$(api POST "/v1/orchestrations/$parent/rerun" '{"from_step": "summary"}' | field id)
echo
echo "the summary once more, over the same answers:"
finish "$again"
