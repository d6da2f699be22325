#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two tools over a tiny library: prints its port, then serves GET /search?q= and GET /pages/<id>."""
import http.server
import json
import urllib.parse

PAGES = {
    "merkle": "A Merkle tree commits to a list with one hash; a proof for one entry has log2(n) hashes.",
    "tlog": "A transparency log is a Merkle tree that only grows; consistency proofs show that it did.",
    "witness": "A witness co-signs checkpoints that are consistent with those it saw before.",
}


class Tools(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/search":
            words = urllib.parse.parse_qs(url.query).get("q", [""])[0].lower().split()
            found = [name for name, text in PAGES.items() if any(w in text.lower() for w in words)]
            self.answer(200, {"results": found})
        elif url.path.startswith("/pages/") and url.path[7:] in PAGES:
            self.answer(200, {"page": url.path[7:], "text": PAGES[url.path[7:]]})
        else:
            self.answer(404, {"error": "no such page"})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tools)
print(server.server_address[1], flush=True)
server.serve_forever()
