# SPDX-License-Identifier: Apache-2.0
"""How moietyd starts and ends."""
import json
import signal
import socket
import time
import unittest

from pair import PairTest, get, moiety


class Signals(PairTest):
    def half_a_request(self, server):
        """A connection with a request whose body is not complete yet."""
        connection = socket.create_connection(("127.0.0.1", server.port))
        self.addCleanup(connection.close)
        connection.sendall(b"POST /tasks/x/reports HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Length: 4\r\nContent-Type: text/plain\r\n\r\nab")
        time.sleep(0.3)
        return connection

    def test_first_signal_drains(self):
        self.start()
        connection = self.half_a_request(self.leader)
        self.leader.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        self.assertIsNone(self.leader.process.poll(), "it waits for what is under way")
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", self.leader.port), timeout=2)
        connection.sendall(b"cd")
        answer = connection.recv(65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 404"), answer)
        self.assertIn(b"connection: close", answer.lower())
        self.assertEqual(self.leader.process.wait(timeout=30), 0)

    def test_second_signal_exits_at_once(self):
        self.start()
        self.half_a_request(self.leader)
        self.leader.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        self.leader.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.leader.process.wait(timeout=5), 1)
        self.leader.process = None

    def test_drain_loses_nothing(self):
        self.start()
        self.make_task("d", "--vdaf", "count")
        for _ in range(4):
            self.upload("d", [1] * 50, "--batch", 10)
            for server in (self.leader, self.helper):
                self.assertEqual(server.stop(), 0, server.logged())
                server.start()
        self.assertEqual(self.collect("d", "--last", "2h")[0]["values"], [200])

    def test_probes_and_metrics(self):
        self.start()
        self.make_task("m", "--vdaf", "count")
        self.upload("m", [1] * 20)
        self.assertEqual(get(self.leader.url + "healthz")[0], 200)
        self.assertEqual(get(self.leader.url + "readyz")[0], 200)
        self.assertEqual(get(self.leader.url + "metrics")[0], 404, "for the admin listener alone")
        self.assertEqual(self.leader.metric("moiety_uploaded_reports_total"), 20)
        self.assertEqual(self.collect("m", "--last", "2h")[0]["values"], [20])
        self.assertGreaterEqual(self.helper.metric("moiety_aggregated_reports_total"), 20)

    def test_an_address_in_use(self):
        self.start()
        other = self.make_server("other")
        other.config.write_text(other.config.read_text().replace(
            f"127.0.0.1:{other.port}", f"127.0.0.1:{self.leader.admin_port}"))
        other.launch()
        self.assertEqual(other.process.wait(timeout=30), 1)
        self.assertIn("a listener can't be made", other.logged())

    def test_logs_are_json_if_asked_for(self):
        server = self.make_server("json", extra="log:\n  format: json\n")
        server.start()
        server.stop()
        events = [json.loads(line)["event"] for line in server.logged().splitlines()]
        self.assertIn("ready", events)
        self.assertIn("stopped", events)


if __name__ == "__main__":
    unittest.main()
