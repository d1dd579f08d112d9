# SPDX-License-Identifier: Apache-2.0
"""A database that keeps an upload waiting: the client hears of it soon, and what
it is told is true."""
import http.client
import sqlite3
import time
import unittest

from database import Postgres
from uploads import TYPE, UploadTest

PATIENCE_S = 2
SLACK_S = 4  # for one wait for a lock, and a slow machine


class LockedTest(UploadTest):
    EXTRA = UploadTest.EXTRA + f"aggregator:\n  upload_patience: {PATIENCE_S}s\n"

    told_stored = 0

    def ask(self):
        """(status, Retry-After, seconds) of an upload of ten reports."""
        body = b"".join(self.body(10))
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.leader.port, timeout=60)
        connection.request("POST", self.path, body, {"Content-Type": TYPE})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        self.told_stored += 10 if answer.status == 200 else 0
        return answer.status, answer.headers["Retry-After"], time.monotonic() - began

    def assert_told_soon(self, status=0, retry_after="", took=0):
        """Of the next upload, or of one that was answered so."""
        if status == 0:
            status, retry_after, took = self.ask()
        self.assertEqual(status, 503)
        self.assertGreater(int(retry_after), 0)
        self.assertGreater(took, PATIENCE_S - 0.5)
        self.assertLess(took, PATIENCE_S + SLACK_S)


class Sqlite(LockedTest):
    def test_another_program_has_locked_it(self):
        self.assertEqual(self.ask()[0], 200)
        other = sqlite3.connect(self.leader.folder / "moiety.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        self.assert_told_soon()
        other.execute("ROLLBACK")
        other.close()
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(self.accepted(), self.told_stored)  # nothing of what was refused


class OnPostgres(LockedTest):
    def make_server(self, name, **options):
        if name == "leader":
            self.database = Postgres("leader")
            self.addCleanup(self.database.stop)
            options["database"] = self.database.url("leader")
        return super().make_server(name, **options)

    def test_it_is_away_or_a_table_is_locked(self):
        self.assertEqual(self.ask()[0], 200)
        self.database.kill()
        answer = self.ask()
        while answer[0] == 200:  # the last of its processes has not noticed yet
            answer = self.ask()
        self.assert_told_soon(*answer)
        self.database.restart()
        self.assertEqual(self.ask()[0], 200)
        with self.database.hold("BEGIN; LOCK TABLE report_id", "leader") as lock:
            self.assert_told_soon()
            lock.kill()
        self.assertEqual(self.ask()[0], 200)
        self.assertEqual(self.accepted(), self.told_stored)


if __name__ == "__main__":
    unittest.main()
