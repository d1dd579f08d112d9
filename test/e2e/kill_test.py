# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments, and yet the result is exact.

20,000 Count reports go up in batches while one or the other server is killed
and started again; the kills go on through aggregation and into collection.
"""
import os
import random
import subprocess
import time
import unittest

from pair import MOIETY, PairTest

REPORTS = 20000
UPLOAD_KILLS = 30
COLLECT_KILLS = 6  # fewer if the result is there sooner


class Kill(PairTest):
    EXTRA = ("aggregator:\n  job_poll: 50ms\n"
             "log:\n  level: warn\n")

    def popen(self, name, *arguments, **options):
        log = open(self.folder / f"{name}.log", "wb")
        self.addCleanup(log.close)
        process = subprocess.Popen([MOIETY, *map(str, arguments)], stderr=log, **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def kill_one(self):
        victim = self.random.choice([self.leader, self.helper])
        time.sleep(self.random.uniform(0.05, 0.9))
        victim.kill()
        victim.launch()  # not waiting until it is ready: a kill may fall there too

    def upload_under_fire(self, bits):
        """Hands the uploader its lines piece by piece, with a kill after each."""
        upload = self.popen("upload", "upload", "--task", self.file("k", "client"), "--batch", 100,
                            "--parallel", 2, "--patience", "10m", stdin=subprocess.PIPE)
        for i in range(UPLOAD_KILLS):
            piece = bits[i * REPORTS // UPLOAD_KILLS:(i + 1) * REPORTS // UPLOAD_KILLS]
            upload.stdin.write("".join(f"{bit}\n" for bit in piece).encode())
            upload.stdin.flush()
            self.kill_one()
        upload.stdin.close()
        self.assertEqual(upload.wait(timeout=300), 0, (self.folder / "upload.log").read_text())

    def collect_under_fire(self):
        with open(self.folder / "collect.out", "wb") as out:
            collect = self.popen("collect", "collect", "--task", self.file("k", "collector"),
                                 "--last", "3h", "--format", "json", "--wait", "5m", stdout=out)
            for _ in range(COLLECT_KILLS):
                if collect.poll() is None:
                    self.kill_one()
            status = collect.wait(timeout=400)
        self.leader.wait_ready()
        self.helper.wait_ready()
        self.assertEqual(status, 0, (self.folder / "collect.log").read_text() +
                         self.show(self.leader, "k") + self.show(self.helper, "k"))
        return (self.folder / "collect.out").read_text()

    def test_exact_after_kills(self):
        seed = int(os.environ.get("MOIETY_KILL_SEED", random.randrange(2**32)))
        print(f"MOIETY_KILL_SEED={seed}", flush=True)
        self.random = random.Random(seed)
        self.start()
        self.make_task("k", "--vdaf", "count", "--max-job-size", 300, minimum=REPORTS)
        bits = [self.random.getrandbits(1) for _ in range(REPORTS)]
        self.upload_under_fire(bits)
        result = self.collect_under_fire()
        self.assertIn(f'"report_count":{REPORTS},', result)
        self.assertIn(f'"values":["{sum(bits)}"]', result)
        for server in (self.leader, self.helper):
            self.assertIn(f"{REPORTS:,}", self.show(server, "k"))


if __name__ == "__main__":
    unittest.main()
