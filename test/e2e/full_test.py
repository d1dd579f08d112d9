# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: nobody is told that a report is safe which isn't, and all
goes on by itself when there is room."""
import resource
import subprocess
import time
import unittest

from pair import MOIETYD, get
from uploads import UploadTest

ROOM = 3 << 20  # of any one file


class Full(UploadTest):
    def restart_with(self, room):
        """Writing beyond `room` fails, as it does on a full disk."""
        self.assertEqual(self.leader.stop(), 0)
        with open(self.leader.log, "ab") as log:
            self.leader.process = subprocess.Popen(
                [MOIETYD, "--config", self.leader.config], stderr=log,
                restore_signals=False,  # SIGXFSZ stays ignored, so that write() fails instead
                preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY)))
        self.leader.wait_ready()

    def make_room(self):
        resource.prlimit(self.leader.process.pid, resource.RLIMIT_FSIZE,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def fill(self):
        """Uploads until that fails; how many reports were accepted."""
        accepted = 0
        while accepted < 100000:
            status, _ = self.post(self.body(100), 100 * len(self.report))
            if status != 200:
                return accepted, status
            accepted += 100
        raise AssertionError("the disk never filled")

    def test_waits_for_room(self):
        self.restart_with(ROOM)
        accepted, status = self.fill()
        self.assertEqual(status, 503)
        self.assertGreater(accepted, 0)
        status, why = get(self.leader.admin + "/readyz")
        self.assertEqual(status, 503)
        self.assertIn(b"store", why)
        self.assertEqual(get(self.leader.admin + "/healthz")[0], 200)
        self.assertEqual(self.post(self.body(100), 100 * len(self.report))[0], 503)
        self.make_room()
        end = time.monotonic() + 60
        while get(self.leader.admin + "/readyz")[0] != 200:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.2)
        self.assertEqual(self.post(self.body(100), 100 * len(self.report)), (200, b""))
        self.assertEqual(self.accepted(), accepted + 100)


if __name__ == "__main__":
    unittest.main()
