#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lets an agent with two tools do research on the server at AVOW_URL with the key AVOW_API_KEY.
# MODEL names another model than the double avow/echo; PROMPT is then the question.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

model=${MODEL:-avow/echo}
start_stub tools python3 "$here/tools_server.py"

# Tools have fixed addresses, so those of this stub have names of their own.
register() { # NAME DESCRIPTION ARGUMENT PATH
  api POST /v1/tools "{
    \"name\": \"$1\", \"description\": \"$2\", \"risk_level\": \"low\",
    \"input_schema\": {\"type\": \"object\", \"required\": [\"$3\"], \"additionalProperties\": false,
                       \"properties\": {\"$3\": {\"type\": \"string\"}}},
    \"http\": {\"method\": \"GET\", \"url\": \"http://127.0.0.1:$port$4\${{ arguments.$3 }}\"}
  }" > /dev/null
}
search=search_$port
read_page=read_page_$port
register "$search" 'Finds pages by words' q '/search?q='
register "$read_page" 'Reads one page' page '/pages/'

agent=$(api POST /v1/agents "{
  \"agent_type\": \"llm\", \"display_name\": \"Researcher\", \"model\": \"$model\",
  \"instructions\": \"Search before you answer, read what you found, and name your pages.\",
  \"tools\": [\"$search\", \"$read_page\"]
}" | field id)

# The double does what the message says: these calls, and then it answers with what they gave.
script="{\"call_tools\": [{\"name\": \"$search\", \"arguments\": {\"q\": \"consistency proofs\"}},
                          {\"name\": \"$read_page\", \"arguments\": {\"page\": \"tlog\"}}]}"
body=$(python3 -c 'import json, sys; print(json.dumps({"agent_id": sys.argv[1], "input": {"prompt": sys.argv[2]}}))' \
  "$agent" "${PROMPT:-$script}")
run=$(api POST /v1/orchestrations/execute "$body" | field id)
finish "$run"
