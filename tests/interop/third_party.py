# SPDX-License-Identifier: Apache-2.0
"""Runs a real server with real witnesses and gives what comes out to tools that we did not write.

    third_party.py AVOW TOOLS

AVOW is the program, TOOLS the folder that scripts/test-interop has filled. Everything else lives in a
temporary folder and on loopback. Each expectation is one line; exit code 0 if all of them hold.
docs/interop.md says what each tool accepts.
"""

import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

AVOW, TOOLS = (pathlib.Path(word).resolve() for word in sys.argv[1:3])
HERE = pathlib.Path(__file__).resolve().parent
ORIGIN = "log.interop.example"
RUNS = 300  # more than one tile of the log
PATIENCE = 60  # seconds, for anything that happens by itself

results = {"passed": 0, "failed": 0}


def expect(what, holds, detail=""):
    results["passed" if holds else "failed"] += 1
    print(("ok      " if holds else "FAILED  ") + what, flush=True)
    if not holds and detail:
        print("        " + str(detail).strip().replace("\n", "\n        ")[-3000:], flush=True)


def run(*command, timeout=120, env=None):
    """(exit code, stdout and stderr in one)"""
    done = subprocess.run(
        [str(word) for word in command], timeout=timeout, check=False,
        env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def until(condition, patience=PATIENCE):
    """Whether it comes true; looks again a few times a second."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program in the background, whose output goes to a file."""

    def __init__(self, command, output):
        self.output = output
        with open(output, "ab") as file:
            self.child = subprocess.Popen([str(word) for word in command], stdout=file, stderr=file)

    def text(self):
        return self.output.read_text(errors="replace")

    def says(self, what):
        """Waits for it; gives up when the program has ended."""
        until(lambda: what in self.text() or self.child.poll() is not None)
        assert what in self.text(), self.text()

    def stop(self, signo=signal.SIGTERM):
        if self.child.poll() is None:
            self.child.send_signal(signo)
            self.child.wait(PATIENCE)


class Witness:
    """A litewitness, its key in an ssh-agent of its own."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        folder.mkdir()
        key, self.agent_socket = folder / "key", folder / "agent"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        self.agent = Process(["ssh-agent", "-D", "-a", self.agent_socket], folder / "agent.log")
        assert until(self.agent_socket.exists)
        subprocess.run(["ssh-add", "-q", key], check=True,
                       env={**os.environ, "SSH_AUTH_SOCK": str(self.agent_socket)})
        listed = subprocess.run(["ssh-keygen", "-l", "-f", f"{key}.pub"], check=True,
                                stdout=subprocess.PIPE).stdout.decode()
        self.fingerprint = listed.split()[1]
        self.port = free_port()
        self.database = folder / "witness.db"
        self.start()
        self.vkey = re.search(r"vkey=(\S+)", self.process.text()).group(1)

    def start(self):
        log = self.folder / "witness.log"
        log.write_bytes(b"")
        self.process = Process(
            [TOOLS / "bin/litewitness", "-name", self.name, "-db", self.database, "-ssh-agent",
             self.agent_socket, "-key", self.fingerprint, "-listen", f"127.0.0.1:{self.port}"], log)
        self.process.says("vkey=")
        assert until(self.is_listening)
        self.process.child.send_signal(signal.SIGUSR1)  # from now on it logs every request

    def is_listening(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def change(self, statement, *values):
        with sqlite3.connect(self.database, timeout=PATIENCE) as database:
            database.execute(statement, values)
        database.close()

    def know(self, vkey):
        """What `witnessctl add-log` and `add-key` write."""
        empty = base64.b64encode(hashlib.sha256(b"").digest()).decode()
        self.change("INSERT INTO log (origin, tree_size, tree_hash) VALUES (?, 0, ?)", ORIGIN, empty)
        self.change("INSERT INTO key (origin, key) VALUES (?, ?)", ORIGIN, vkey)

    def size(self):
        with sqlite3.connect(self.database, timeout=PATIENCE) as database:
            size = database.execute("SELECT tree_size FROM log").fetchone()[0]
        database.close()
        return size

    def stop(self):
        self.process.stop()

    def stop_all(self):
        self.stop()
        self.agent.stop()


class Server:
    def __init__(self, folder):
        self.folder = folder
        code, out = run(AVOW, "init", "--data-dir", folder / "data", "--origin", ORIGIN, "--json")
        assert code == 0, out
        self.made = json.loads(out)
        self.config = folder / "avow.yaml"
        self.process = None

    @property
    def vkey(self):
        return self.made["log_key"]

    def start(self):
        log = self.folder / "server.log"
        log.write_bytes(b"")
        self.process = Process([AVOW, "serve", "--data-dir", self.folder / "data", "--listen",
                                "127.0.0.1:0", "--config", self.config], log)
        self.process.says("listening on http")
        self.url = re.search(r"listening on (\S+)", self.process.text()).group(1).rstrip("/")

    def restart(self):
        self.process.stop()
        self.start()

    def fetch(self, target):
        request = urllib.request.Request(self.url + target, headers={"X-API-Key": self.made["api_key"]})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read()

    def post(self, target, body):
        request = urllib.request.Request(
            self.url + target, data=json.dumps(body).encode(), method="POST",
            headers={"X-API-Key": self.made["api_key"], "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def command(self, *words):
        return run(AVOW, *words, env={"AVOW_URL": self.url, "AVOW_API_KEY": self.made["api_key"]})

    def make_workflow(self):
        agent = self.post("/v1/agents", {})["id"]
        self.workflow = self.post("/v1/workflows", {
            "name": "copy", "agent_id": agent, "output": "${{ steps.copy.result }}",
            "steps": [{"name": "copy", "type": "transform", "config": {"output": "${{ input.n }}"}}]})["id"]
        self.post(f"/v1/workflows/{self.workflow}/publish", {})

    def runs(self, count):
        """Starts so many, waits for their ends, and returns the last one's id."""
        started = [self.post(f"/v1/workflows/{self.workflow}/execute", {"input": {"n": n}})
                   ["orchestration_id"] for n in range(count)]
        for one in started:
            ended = json.loads(self.fetch(f"/v1/orchestrations/{one}?wait=30"))
            assert ended["status"] == "completed", ended
        return started[-1]


def ran_well(what, command, *wanted, **options):
    """The command ends with 0 and says each of `wanted`."""
    code, out = run(*command, **options)
    expect(what, code == 0 and all(one in out for one in wanted), out)
    return out


def refused(what, command, **options):
    code, out = run(*command, **options)
    expect(what, code != 0, out)


def flip(source, target, at):
    data = bytearray(source.read_bytes())
    data[at] ^= 1
    target.write_bytes(data)
    return target


def policy_of(server, witnesses, quorum):
    lines = [f"log {server.vkey}"]
    lines += [f"witness w{i} {w.vkey} {w.url}" for i, w in enumerate(witnesses)]
    lines += [f"group all {quorum} " + " ".join(f"w{i}" for i in range(len(witnesses))), "quorum all"]
    return "\n".join(lines) + "\n"


def check_proofs(server, files, one):
    """One run's receipt in every form, each with the tool that reads it."""
    forms = {}
    for form in ("avow", "tlog-proof", "sigstore", "cose"):
        forms[form] = files / f"receipt.{form}"
        code, out = server.command("receipt", one, "--format", form, "--witnessed", "--out", forms[form])
        expect(f"avow receipt --format {form}, cosigned by the quorum", code == 0 and "quorum" not in out, out)
    receipt = json.loads(forms["avow"].read_text())
    statement, entry = files / "statement", files / "entry"
    statement.write_bytes(receipt["statement"]["statement"].encode())
    entry.write_bytes(receipt["statement"]["entry"].encode())
    key, root = files / "statement-key.pem", files / "trusted-root.json"
    keys = json.loads(server.fetch("/log/keys"))
    key.write_text(keys["statement_keys"][-1]["pem"])
    code, out = server.command("log", "trusted-root")
    root.write_text(out)
    expect("avow log trusted-root", code == 0, out)

    policy = files / "policy"
    ran_well("avow verify, 2 of 3 witnesses", [AVOW, "verify", forms["avow"], "--policy", policy], "VALID")
    ran_well("torchwood VerifyProof, 2 of 3 witnesses",
             [TOOLS / "bin/torchwood", policy, forms["tlog-proof"], entry], "accepted", "refused: ")

    cosign = [TOOLS / "bin/cosign", "verify-blob", "--key", key, "--trusted-root", root, "--bundle"]
    home = {"HOME": str(files), "COSIGN_EXPERIMENTAL": ""}
    ran_well("cosign verify-blob", [*cosign, forms["sigstore"], statement], "Verified OK", env=home)
    altered = files / "altered"
    refused("cosign refuses another statement",
            [*cosign, forms["sigstore"], flip(statement, altered, 40)], env=home)
    for what, change in {
        # It reads the index of the entry, not the one that the proof repeats.
        "index": lambda log: log.update(logIndex=str(int(log["logIndex"]) - 1)),
        "path": lambda log: log["inclusionProof"]["hashes"].reverse(),
        "checkpoint": lambda log: log["inclusionProof"]["checkpoint"].update(
            envelope=log["inclusionProof"]["checkpoint"]["envelope"].replace("\n", "\n1", 1)),
    }.items():
        bundle = json.loads(forms["sigstore"].read_text())
        change(bundle["verificationMaterial"]["tlogEntries"][0])
        altered.write_text(json.dumps(bundle))
        refused(f"cosign refuses another {what}", [*cosign, altered, statement], env=home)
    ran_well("@sigstore/verify",
             ["node", TOOLS / "sigstore/verify.mjs", forms["sigstore"], root, key, statement],
             "accepted", "refused: another statement")
    ran_well("pycose and cwt, the COSE receipt",
             [TOOLS / "venv/bin/python", HERE / "cose/check.py", forms["cose"], entry, keys["log_keys"][0],
              ORIGIN],
             "accepted", "refused: ")


def check_log(server, files, old):
    """The whole log: online, and as files."""
    go = [TOOLS / "bin/go_checksum", "-vkey", server.vkey, "-old", old, "-log"]
    ran_well("golang.org/x/mod/sumdb over HTTP", [*go, server.url + "/log"], "accepted", "refused: ")
    folder = files / "export"
    code, out = server.command("log", "export", folder)
    expect("avow log export", code == 0, out)
    ran_well("golang.org/x/mod/sumdb over the export", [*go, folder], "accepted", "refused: ")
    ran_well("avow log audit", [AVOW, "log", "audit", folder, "--key", server.vkey, "--old", old])

    key = files / "log.vkey"
    key.write_text(server.vkey)
    fsck = [TOOLS / "bin/fsck", "-N", "4", "-ui=false", "-public_key", key, "-storage_url"]
    # Its exit code says nothing; its last line does.
    ran_well("Tessera's fsck over the export", [*fsck, f"file://{folder}/"], "Successfully fsck'd")
    ran_well("Tessera's fsck over HTTP", [*fsck, server.url + "/log/"], "Successfully fsck'd")
    for what in ("tile/0/000", "tile/entries/000"):
        copy = files / "altered-export"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        flip(copy / what, copy / what, 100)
        _, out = run(*fsck, f"file://{copy}/")
        expect(f"Tessera's fsck refuses another {what}", "Successfully" not in out, out)


def check_rotation(server, files, old):
    """While both log keys sign, who knows either of them accepts the log; and so do the witnesses."""
    server.process.stop()
    for words in (["--statement-key"], []):
        code, out = run(AVOW, "log", "rotate-key", "--data-dir", server.folder / "data", *words)
        expect(" ".join(["avow log rotate-key", *words]), code == 0, out)
    server.start()
    one = server.runs(2)
    keys = json.loads(server.fetch("/log/keys"))
    expect("there are two log keys and two statement keys",
           len(keys["log_keys"]) == 2 and len(keys["statement_keys"]) == 2, keys)
    for vkey in keys["log_keys"]:
        name = "the old" if vkey == server.vkey else "the new"
        key = files / "log.vkey"
        key.write_text(vkey)
        ran_well(f"Tessera's fsck under {name} key",
                 [TOOLS / "bin/fsck", "-N", "4", "-ui=false", "-public_key", key, "-storage_url",
                  server.url + "/log/"], "Successfully fsck'd")
        # The checkpoint from before is signed by the old key alone.
        ran_well(f"golang.org/x/mod/sumdb under {name} key",
                 [TOOLS / "bin/go_checksum", "-vkey", vkey, "-log", server.url + "/log",
                  *(["-old", old] if vkey == server.vkey else [])], "accepted", "refused: ")
    later = files / "later"
    later.mkdir()
    shutil.copy(files / "policy", later)  # of the old key
    check_proofs(server, later, one)


def expect_not_ready(server, what):
    try:
        server.fetch("/health/ready")
        expect(what, False)
    except urllib.error.HTTPError as refusal:
        expect(what, refusal.code == 503, refusal.code)


def check_witnesses(server, files, witnesses):
    """How the server and litewitness answer each other."""
    conflict = "known tree size doesn't match provided old size"
    first = witnesses[0]
    # A server that has just started does not know where its witnesses stand: it is told by a 409,
    # and comes again with the proof from there.
    expect("litewitness answers 200", first.size() > RUNS, first.size())
    before = first.process.text().count(conflict)
    server.restart()
    server.runs(1)
    size = int(server.fetch("/log/checkpoint").split(b"\n")[1])
    expect("litewitness cosigns after a 409", until(lambda: first.size() >= size), first.process.text()[-2000:])
    expect("the 409 was there", first.process.text().count(conflict) > before, first.process.text()[-2000:])

    witnesses[2].stop()
    one = server.runs(1)
    proof = files / "two.tlog-proof"
    code, out = server.command("receipt", one, "--format", "tlog-proof", "--witnessed", "--out", proof)
    expect("two of three witnesses are enough", code == 0 and "quorum" not in out, out)
    witnesses[1].stop()
    one = server.runs(1)
    code, out = server.command("receipt", one, "--format", "tlog-proof", "--witnessed", "--out", proof)
    expect("one of three is not, and the receipt says so", code == 0 and "no quorum" in out, out)
    entry = files / "entry-of-one"
    code, out = server.command("receipt", one)
    entry.write_bytes(json.loads(out)["statement"]["entry"].encode())
    refused("torchwood refuses a proof with one cosignature of three",
            [TOOLS / "bin/torchwood", files / "policy", proof, entry])
    witnesses[1].start()
    code, out = server.command("receipt", one, "--witnessed", "--out", files / "later.json")
    expect("a witness that comes back completes the quorum", code == 0 and "quorum" not in out, out)

    # The whole data directory put back as it was, log.watermark with it: only witnesses can tell.
    server.process.stop()
    data, newest, old = server.folder / "data", server.folder / "newest", server.folder / "old"
    shutil.copytree(data, old)
    server.start()
    server.runs(1)
    size = int(server.fetch("/log/checkpoint").split(b"\n")[1])
    assert until(lambda: first.size() >= size)
    server.process.stop()
    data.rename(newest)
    old.rename(data)
    server.start()
    expect("an old copy of everything is found out by a witness",
           until(lambda: "has seen another log than this one" in server.process.text()), server.process.text())
    expect_not_ready(server, "a server over an old copy is not ready")
    server.process.stop()
    shutil.rmtree(data)
    newest.rename(data)
    server.start()
    one = server.runs(1)
    code, out = server.command("receipt", one, "--witnessed", "--out", files / "newest.json")
    expect("with the newest data it goes on", code == 0 and "quorum" not in out, out)

    # To a witness that has seen another log under this name, ours is the fork: 422.
    other = base64.b64encode(bytes(32)).decode()
    server.process.stop()
    first.change("UPDATE log SET tree_hash = ?", other)
    server.start()
    expect("the server finds the fork when it starts",
           until(lambda: "has seen another log than this one" in server.process.text()), server.process.text())
    expect("litewitness answered 422", "bad consistency proof" in first.process.text(),
           first.process.text()[-2000:])
    expect_not_ready(server, "a server under alarm is not ready")


def main():
    files = pathlib.Path(tempfile.mkdtemp(prefix="avow-interop-"))
    witnesses, server = [], None
    try:
        server = Server(files)
        for i in range(3):
            witnesses.append(Witness(files / f"w{i}", f"witness-{i}.interop.example"))
            witnesses[i].know(server.vkey)
        (files / "policy").write_text(policy_of(server, witnesses, 2))
        server.config.write_text(
            f"log: {{policy_file: {files}/policy, witness_interval_ms: 1000}}\n")
        server.start()
        server.make_workflow()
        old = files / "old-checkpoint"
        old.write_bytes(server.fetch("/log/checkpoint"))
        one = server.runs(RUNS)
        check_proofs(server, files, one)
        check_log(server, files, old)
        check_rotation(server, files, old)
        check_witnesses(server, files, witnesses)
    finally:
        if server and server.process:
            server.process.stop()
        for witness in witnesses:
            witness.stop_all()
        if os.environ.get("KEEP"):
            print(f"kept: {files}")
        else:
            shutil.rmtree(files)
    print("{passed} passed, {failed} failed".format(**results))
    return 1 if results["failed"] else 0


sys.exit(main())
