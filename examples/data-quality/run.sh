#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the two-step pipeline on the server at AVOW_URL with the key AVOW_API_KEY; worker.py does the work.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

profiler=$(api POST /v1/agents '{"agent_type": "pipeline", "display_name": "Profiler"}' | field id)
assessor=$(api POST /v1/agents '{"agent_type": "pipeline", "display_name": "Assessor"}' | field id)

# The agents are new each time, so the workflow is, too: a published one never changes.
definition=$(sed -e "s/PROFILER/$profiler/" -e "s/ASSESSOR/$assessor/" \
  -e "s/\"data-quality\"/\"data-quality-$(printf %s "$profiler" | cut -c 25-)\"/" "$here/workflow.json")
workflow=$(api POST /v1/workflows "$definition" | field id)
api POST "/v1/workflows/$workflow/publish" > /dev/null

python3 "$here/worker.py" "$profiler" "$assessor" &
children="$children $!"

run=$(api POST /v1/orchestrations/execute "{
  \"workflow_id\": \"$workflow\",
  \"agents\": [\"$profiler\", \"$assessor\"],
  \"parameters\": {\"rows\": [
    {\"id\": 1, \"email\": \"ada@example.com\", \"city\": \"London\"},
    {\"id\": 2, \"email\": \"\", \"city\": \"Paris\"},
    {\"id\": 3, \"city\": \"Rome\"},
    {\"id\": 4, \"email\": \"grace@example.com\", \"city\": \"\"}
  ]}
}" | field orchestration_id)
finish "$run"
