#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A travel agency: prints its port, then each thing that it did. It takes every card but "refused"."""
import http.server
import json

done = {}  # answers by Idempotency-Key: what was done once is not done twice


class Agency(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        key = self.headers.get("Idempotency-Key")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if key not in done:
            done[key] = self.act(body)
        self.answer(*done[key])

    def act(self, body):
        if self.path == "/payments":
            if body["card"] == "refused":
                return 402, {"error": "the card was refused"}
            print("paid", flush=True)
            return 200, {"paid": True}
        print("booked", body["what"], flush=True)
        return 201, {"id": "b%d" % (len(done) + 1)}

    def do_DELETE(self):
        key = self.headers.get("Idempotency-Key")
        if key not in done:
            print("cancelled", self.path.rsplit("/", 1)[1], flush=True)
            done[key] = 200, {"cancelled": True}
        self.answer(*done[key])

    def answer(self, status, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Agency)
print(server.server_address[1], flush=True)
server.serve_forever()
