#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A worker for the data-quality pipeline: polls the tasks of its agents and answers them.

usage: worker.py AGENT_ID...     with AVOW_URL and AVOW_API_KEY (scope tasks:work) in the environment
"""
import json
import os
import sys
import threading
import urllib.error
import urllib.request

URL = os.environ["AVOW_URL"].rstrip("/")
KEY = os.environ["AVOW_API_KEY"]


def post(path, body):
    request = urllib.request.Request(
        URL + path, json.dumps(body).encode(),
        {"X-API-Key": KEY, "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def profile(parameters):
    """How many rows there are, and how many lack each column."""
    rows = parameters["rows"]
    columns = sorted({name for row in rows for name in row})
    missing = {name: sum(1 for row in rows if row.get(name) in (None, "")) for name in columns}
    return {"rows": len(rows), "columns": columns, "missing": missing}


def assess(parameters):
    """Whether the profile is good enough: no column may lack more than the share that is allowed."""
    found = parameters["profile"]
    allowed = parameters["missing_share_max"]
    bad = [name for name, count in found["missing"].items() if count > allowed * found["rows"]]
    return {"passed": not bad, "bad_columns": bad}


ACTIONS = {"profile": profile, "assess": assess}


def do(task):
    lease = {"lease_token": task["lease_token"]}
    try:
        result = ACTIONS[task["action"]](task["parameters"])
    except Exception as error:  # whatever it is, the run shall know
        post(f"/v1/tasks/{task['task_id']}/fail",
             {**lease, "error": {"code": "WORKER_ERROR", "message": repr(error)}, "retryable": False})
        return
    post(f"/v1/tasks/{task['task_id']}/complete", {**lease, "result": result})
    print(task["step"], json.dumps(result), flush=True)


def work(agent):
    while True:
        try:
            for task in post(f"/v1/agents/{agent}/tasks/poll", {"wait": 20, "max": 10})["tasks"]:
                do(task)
        except urllib.error.HTTPError as error:
            # 409: the lease was lost, and somebody else has the task now. Anything else is not for a
            # retry to mend.
            if error.code not in (409, 503):
                raise


for agent_id in sys.argv[1:]:
    threading.Thread(target=work, args=(agent_id,)).start()
