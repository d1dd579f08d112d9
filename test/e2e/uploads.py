# SPDX-License-Identifier: Apache-2.0
"""Uploads of any size, made quickly.

One report is caught on its way; requests are made of copies of it under other
IDs, which is enough for an upload: nothing is opened before aggregation.
"""
import http.client
import http.server
import json
import re
import threading

from pair import PairTest, free_ports, get

TYPE = "application/ppm-dap;message=upload-req"


class Catcher(http.server.BaseHTTPRequestHandler):
    """Stands before a leader and keeps what is uploaded."""
    keys = b""
    caught = b""

    def log_message(self, *_):
        pass

    def answer(self, body, media_type):
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(self.keys, "application/ppm-dap;message=hpke-config-list")

    def do_POST(self):
        Catcher.caught = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(b"", "text/plain")


class UploadTest(PairTest):
    """self.report is one; self.path where the leader takes them."""

    EXTRA = "limits:\n  upload_bytes: 1GiB\nlog:\n  level: warn\n"

    def setUp(self):
        super().setUp()
        self.start()
        port, = free_ports(1)
        self.served = self.leader.url
        Catcher.keys = get(self.served + "hpke_config")[1]
        catcher = http.server.ThreadingHTTPServer(("127.0.0.1", port), Catcher)
        threading.Thread(target=catcher.serve_forever, daemon=True).start()
        self.addCleanup(catcher.server_close)
        self.addCleanup(catcher.shutdown)
        real, self.leader.port = self.leader.port, port
        self.make_task("u", "--vdaf", "histogram", "--length", 100)
        self.upload("u", [7])
        self.leader.port = real
        self.report = Catcher.caught
        task = json.loads(self.file("u", "client").read_text())["task_id"]
        self.path = f"/tasks/{task}/reports"
        self.next_id = 1

    def body(self, count):
        """Pieces of a request of `count` reports."""
        first, self.next_id = self.next_id, self.next_id + count
        for start in range(first, first + count, 50):
            ids = range(start, min(start + 50, first + count))
            yield b"".join(i.to_bytes(16, "big") + self.report[16:] for i in ids)

    def post(self, pieces, length=None, ending=b""):
        """(status, body); chunked if there is no length."""
        def all_pieces():
            yield from pieces
            if ending:
                yield ending
        connection = http.client.HTTPConnection("127.0.0.1", self.leader.port, timeout=120)
        headers = {"Content-Type": TYPE}
        if length is not None:
            headers["Content-Length"] = str(length)
        connection.request("POST", self.path, body=all_pieces(), headers=headers,
                           encode_chunked=length is None)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def accepted(self):
        return int(re.search(r"upload_accepted +([\d,]+)", self.show(self.leader, "u"))
                   .group(1).replace(",", ""))
