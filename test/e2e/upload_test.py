# SPDX-License-Identifier: Apache-2.0
"""Uploads far larger than what the leader may hold of them.

One report is caught on its way; requests are made of copies of it under other
IDs, which is enough for an upload: nothing is opened before aggregation.
"""
import http.client
import http.server
import json
import os
import re
import socket
import threading
import time
import unittest

# A sanitizer keeps what was freed; little of that, since memory is measured.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1:" + os.environ.get("ASAN_OPTIONS", "")

from pair import PairTest, free_ports, get

MB = 1000 * 1000
LONG = 80 * MB
GROWTH_MAX = 75 * MB  # with a sanitizer; without one a third of it
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


class Upload(PairTest):
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

    def memory(self, field):
        with open(f"/proc/{self.leader.process.pid}/status") as status:
            return int(re.search(field + r":\s+(\d+) kB", status.read()).group(1)) * 1024

    def accepted(self):
        return int(re.search(r"upload_accepted +([\d,]+)", self.show(self.leader, "u"))
                   .group(1).replace(",", ""))

    def test_long_uploads_in_little_memory(self):
        count = LONG // len(self.report)
        self.assertEqual(self.post(self.body(100)), (200, b""))  # all is warm
        before = self.memory("VmRSS")
        self.assertEqual(self.post(self.body(count), count * len(self.report)), (200, b""))
        self.assertEqual(self.post(self.body(count // 4)), (200, b""))
        print(f"memory: {before // MB} MB before, {self.memory('VmHWM') // MB} MB at most",
              flush=True)
        self.assertLess(self.memory("VmHWM") - before, GROWTH_MAX)
        self.assertEqual(self.accepted(), 100 + count + count // 4)

    def test_what_came_before_a_flaw_stays(self):
        count = 2000
        length = count * len(self.report)
        status, body = self.post(self.body(count), length + 10, b"no report!")
        self.assertEqual(status, 400)
        self.assertIn(b"invalidMessage", body)
        self.assertEqual(self.accepted(), count)
        self.next_id = 1
        status, body = self.post(self.body(count + 1))
        self.assertEqual((status, len(body)), (200, count * 17))  # an ID and an error each
        self.assertEqual(self.accepted(), count + 1)

    def test_clients_that_go_away_and_slow_ones(self):
        count = 2000
        head = (f"POST {self.path} HTTP/1.1\r\nHost: x\r\nContent-Type: {TYPE}\r\n"
                f"Content-Length: {count * len(self.report)}\r\n\r\n").encode()
        slow = socket.create_connection(("127.0.0.1", self.leader.port))
        slow.sendall(head)
        slow_body = b"".join(self.body(count))
        for i in range(10):
            with socket.create_connection(("127.0.0.1", self.leader.port)) as gone:
                gone.sendall(head)
                for piece in list(self.body(count))[:i * 4]:
                    gone.sendall(piece)
            slow.sendall(slow_body[i * len(slow_body) // 10:(i + 1) * len(slow_body) // 10])
            time.sleep(0.2)
        slow.settimeout(60)
        self.assertIn(b" 200 ", slow.recv(1000))
        slow.close()
        # Whatever of the others was whole is in, and stays so when all is sent again.
        self.next_id = 1
        status, _ = self.post(self.body(11 * count))
        self.assertEqual(status, 200)
        self.assertEqual(self.accepted(), 11 * count)


if __name__ == "__main__":
    unittest.main()
