# SPDX-License-Identifier: Apache-2.0
"""Uploads far larger than what the leader may hold of them."""
import os
import re
import socket
import time
import unittest

# A sanitizer keeps what was freed; little of that, since memory is measured.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1:" + os.environ.get("ASAN_OPTIONS", "")

from uploads import TYPE, UploadTest

MB = 1000 * 1000
LONG = 80 * MB
GROWTH_MAX = 70 * MB  # mostly the database's cache, and what a sanitizer adds


class Upload(UploadTest):
    # Aggregation has memory of its own.
    EXTRA = UploadTest.EXTRA + "aggregator:\n  job_poll: 1h\n"

    def memory(self, field):
        with open(f"/proc/{self.leader.process.pid}/status") as status:
            return int(re.search(field + r":\s+(\d+) kB", status.read()).group(1)) * 1024

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
