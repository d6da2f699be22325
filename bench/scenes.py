#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Scenes of docs/performance.md that take more than a closed loop: many parked runs, a restart over
them, one tenant that floods, a server that is killed under load. Each starts a server of its own on a
port that the system chooses, and prints one JSON object.

    bench/scenes.py build/release/avow park --runs 100000
    bench/scenes.py build/release/avow flood
    bench/scenes.py build/release/avow kill
"""
import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time


class Server:
    """`avow serve` in a fresh folder; it ends with this program."""

    def __init__(self, avow, folder):
        self.avow, self.folder = avow, folder
        self.data = os.path.join(folder, "data")
        init = [avow, "init", "--data-dir", self.data, "--tenant", "bench", "--json"]
        made = json.loads(subprocess.check_output(init, stderr=subprocess.DEVNULL))
        self.key, self.platform_key = made["api_key"], made["platform_key"]
        self.config = os.path.join(folder, "avow.yaml")
        with open(self.config, "w") as config:
            config.write('outbound:\n  allow: ["127.0.0.0/8"]\n')

    def start(self):
        """Seconds until it answers."""
        began = time.monotonic()
        command = [self.avow, "serve", "--data-dir", self.data, "--listen", "127.0.0.1:0",
                   "--config", self.config]
        log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        for line in self.process.stdout:
            found = re.search(r"listening on http://127\.0\.0\.1:(\d+)", line)
            if found:
                self.port = int(found.group(1))
                return time.monotonic() - began
        raise SystemExit("the server ended; see " + os.path.join(self.folder, "log"))

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait()

    def resident(self):
        with open("/proc/%d/status" % self.process.pid) as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) * 1024

    def cpu(self):
        with open("/proc/%d/stat" % self.process.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Client:
    """One connection that stays open."""

    def __init__(self, server, key=None):
        self.server, self.key = server, key or server.key

    async def connect(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        return self

    async def ask(self, method, path, body=None, headers=()):
        """(status, value)"""
        text = b"" if body is None else json.dumps(body).encode()
        head = ["%s %s HTTP/1.1" % (method, path), "Host: x", "X-API-Key: " + self.key]
        head += list(headers)
        if body is not None:
            head += ["Content-Type: application/json", "Content-Length: %d" % len(text)]
        self.writer.write(("\r\n".join(head) + "\r\n\r\n").encode() + text)
        answer = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"(?i)content-length: (\d+)", answer).group(1))
        value = await self.reader.readexactly(length)
        return int(answer.split(" ", 2)[1]), json.loads(value)

    async def must(self, *request, **rest):
        status, value = await self.ask(*request, **rest)
        if status >= 300:
            raise SystemExit("%s: %d %s" % (request[1], status, value))
        return value

    async def publish(self, name, steps, **rest):
        """The id of a published workflow."""
        made = await self.must("POST", "/v1/agents", {"display_name": name})
        made = await self.must("POST", "/v1/workflows",
                               dict(name=name, steps=steps, agent_id=made["id"], **rest))
        await self.must("POST", "/v1/workflows/%s/publish" % made["id"], {})
        return made["id"]


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * q))]


def chain(count):
    """Transforms, each of which gives on what the one before gave."""
    return [{"name": "s%d" % i, "type": "transform", "depends_on": ["s%d" % (i - 1)] if i else [],
             "config": {"output": "${{ steps.s%d.result }}" % (i - 1) if i else "${{ input }}"}}
            for i in range(count)]


async def in_parallel(server, count, clients, one, key=None):
    """Calls one(client) `count` times, from so many clients."""
    left = iter(range(count))

    async def work():
        client = await Client(server, key).connect()
        for _ in left:
            await one(client)

    await asyncio.gather(*(work() for _ in range(clients)))


async def park(server, options):
    """Approvals that wait: bytes of memory each, a restart over them, and how fast one wakes."""
    server.start()
    client = await Client(server).connect()
    steps = [{"name": "ask", "type": "approval", "config": {"prompt": "may ${{ input.n }} go on?",
                                                            "allow_self": True}}]
    workflow = await client.publish("parked", steps, timeout_seconds=86400)
    runs = []

    async def start(one, n=0):
        made = await one.must("POST", "/v1/workflows/%s/execute" % workflow, {"input": {"n": n}})
        runs.append(made["run_id"])

    await in_parallel(server, 1000, 16, start)  # so that what is there once is there
    before = server.resident()
    began = time.monotonic()
    await in_parallel(server, options.runs, 32, start)
    parked_in = time.monotonic() - began
    await asyncio.sleep(2)
    after = server.resident()
    server.stop()
    restart = server.start()
    fresh = server.resident()
    client = await Client(server).connect()
    wakes = []
    for run in runs[:: max(1, len(runs) // 200)]:
        began = time.monotonic()
        await client.must("POST", "/v1/orchestrations/%s/approvals/ask" % run,
                          {"decision": "approve"})
        wakes.append(time.monotonic() - began)
    size = sum(os.path.getsize(os.path.join(server.data, name)) for name in os.listdir(server.data)
               if os.path.isfile(os.path.join(server.data, name)))
    return {"runs": options.runs, "started_per_second": round(options.runs / parked_in),
            "memory_bytes_per_run": round((after - before) / options.runs),
            "memory_after_restart_mb": round(fresh / 2**20, 1), "restart_s": round(restart, 3),
            "wake_p50_ms": round(quantile(wakes, 0.5) * 1e3, 2),
            "wake_p99_ms": round(quantile(wakes, 0.99) * 1e3, 2),
            "store_bytes_per_run": round(size / (options.runs + 1000))}


async def flood(server, options):
    """A tenant with a run every 20 ms, alone and beside one whose 64 clients never rest."""
    server.start()
    platform = await Client(server, server.platform_key).connect()
    tenant = (await platform.must("POST", "/v1/tenants", {"name": "flood"}))["tenant_id"]
    key = (await platform.must("POST", "/v1/api-keys", {"name": "flood", "scopes": ["*:*"]},
                               headers=["X-Tenant-ID: " + tenant]))["api_key"]
    stub = await asyncio.start_server(answer_slowly, "127.0.0.1", 0)
    url = "http://127.0.0.1:%d/" % stub.sockets[0].getsockname()[1]
    steps = [{"name": "call", "type": "webhook", "config": {"url": url}}]
    quiet = await Client(server).connect()
    loud = await Client(server, key).connect()
    ours = await quiet.publish("quiet", steps)
    theirs = await loud.publish("loud", steps)

    async def p99_of_quiet(seconds):
        waits = []
        clients = [await Client(server).connect() for _ in range(8)]
        until = time.monotonic() + seconds

        async def one(client):
            while time.monotonic() < until:
                began = time.monotonic()
                await client.must("POST", "/v1/workflows/%s/execute" % ours, {},
                                  headers=["Prefer: wait=20"])
                waits.append(time.monotonic() - began)
                await asyncio.sleep(0.16)

        await asyncio.gather(*(one(client) for client in clients))
        return {"p50_ms": round(quantile(waits, 0.5) * 1e3, 2),
                "p99_ms": round(quantile(waits, 0.99) * 1e3, 2), "runs": len(waits)}

    await p99_of_quiet(2)
    alone = await p99_of_quiet(options.seconds)
    flooding = True
    done = 0

    async def never_rest():
        nonlocal done
        client = await Client(server, key).connect()
        while flooding:
            await client.must("POST", "/v1/workflows/%s/execute" % theirs, {})
            done += 1

    floods = [asyncio.create_task(never_rest()) for _ in range(64)]
    await asyncio.sleep(1)
    beside = await p99_of_quiet(options.seconds)
    flooding = False
    await asyncio.gather(*floods)
    stub.close()
    return {"alone": alone, "beside_a_flood": beside, "flood_runs_started": done,
            "p99_ratio": round(beside["p99_ms"] / alone["p99_ms"], 2)}


async def answer_slowly(reader, writer):
    """A webhook's other side, 5 ms away."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = re.search(r"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length.group(1)) if length else 0)
            await asyncio.sleep(0.005)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                         b"Content-Type: application/json\r\n\r\n{}")
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        writer.close()


async def kill(server, options):
    """kill -9 under load: from the new server's start to the first step of a run from before."""
    server.start()
    arrived = []

    async def note(reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(length.group(1)) if length else 0)
                arrived.append((time.monotonic(), re.search(r"(?i)idempotency-key: (\S+)", head).group(1)))
                await asyncio.sleep(0.02)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                             b"Content-Type: application/json\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    stub = await asyncio.start_server(note, "127.0.0.1", 0)
    url = "http://127.0.0.1:%d/" % stub.sockets[0].getsockname()[1]
    steps = [{"name": "s%d" % i, "type": "webhook", "depends_on": ["s%d" % (i - 1)] if i else [],
              "config": {"url": url}} for i in range(5)]
    workflow = await (await Client(server).connect()).publish("killed", steps)
    times = []
    for _ in range(options.times):
        acknowledged = []

        async def start_some():
            client = await Client(server).connect()
            try:
                while True:
                    made = await client.must("POST", "/v1/workflows/%s/execute" % workflow, {})
                    acknowledged.append(made["run_id"])
            except (asyncio.IncompleteReadError, ConnectionError):
                pass

        loads = [asyncio.create_task(start_some()) for _ in range(16)]
        await asyncio.sleep(2)
        server.stop(signal.SIGKILL)
        await asyncio.gather(*loads)
        before = {run.split(":")[1] for run in acknowledged}
        began = time.monotonic()
        server.start()
        resumed = None
        while resumed is None and time.monotonic() < began + 30:
            await asyncio.sleep(0.005)
            resumed = next((at for at, key in arrived if at > began and key.split("/")[0] in before), None)
        times.append(resumed - began)
        client = await Client(server).connect()
        for run in acknowledged:  # none is lost, each ends
            got = await client.must("GET", "/v1/orchestrations/%s?wait=60" % run)
            if got["status"] != "completed":
                raise SystemExit("run %s is %s" % (run, got["status"]))
    stub.close()
    return {"kills": options.times, "first_resumed_step_ms": [round(t * 1e3) for t in times],
            "median_ms": round(quantile(times, 0.5) * 1e3)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("avow")
    parser.add_argument("scene", choices=["park", "flood", "kill"])
    parser.add_argument("--runs", type=int, default=100_000, help="of park [100000]")
    parser.add_argument("--seconds", type=float, default=10, help="of each part of flood [10]")
    parser.add_argument("--times", type=int, default=5, help="of kill [5]")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="avow-scene-")
    server = Server(os.path.abspath(options.avow), folder)
    try:
        figures = asyncio.run(globals()[options.scene](server, options))
        print(json.dumps(dict(scene=options.scene, **figures)))
    finally:
        if server.process.poll() is None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
