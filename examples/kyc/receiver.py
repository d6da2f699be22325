#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Receives the decisions of the KYC workflow: prints its port, then each decision on a line."""
import http.server


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # The key is the same for every attempt of one step: a real receiver drops what it has seen.
        print(self.headers.get("Idempotency-Key"), body.decode("utf-8", "replace"), flush=True)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
