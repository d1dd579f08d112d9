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
KILLS = 36
UNTIL_UPLOADED = 24  # kills that fall into the upload, if it lasts that long


class Kill(PairTest):
    EXTRA = ("aggregator:\n  lease: 2s\n  job_poll: 50ms\n"
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
        time.sleep(self.random.uniform(0.1, 1.5))
        victim.kill()
        victim.launch()  # not waiting until it is ready: a kill may fall there too
        self.kills += 1

    def test_exact_after_kills(self):
        seed = int(os.environ.get("MOIETY_KILL_SEED", random.randrange(2**32)))
        print(f"MOIETY_KILL_SEED={seed}", flush=True)
        self.random = random.Random(seed)
        self.kills = 0
        self.start()
        self.make_task("k", "--vdaf", "count", "--max-job-size", 500, minimum=REPORTS)
        bits = [self.random.getrandbits(1) for _ in range(REPORTS)]
        measurements = self.folder / "measurements"
        measurements.write_text("".join(f"{bit}\n" for bit in bits))

        with open(measurements, "rb") as stdin:
            upload = self.popen("upload", "upload", "--task", self.file("k", "client"), "--batch",
                                100, "--parallel", 2, "--patience", "10m", stdin=stdin)
        while upload.poll() is None and self.kills < UNTIL_UPLOADED:
            self.kill_one()
        self.assertEqual(upload.wait(timeout=300), 0, (self.folder / "upload.log").read_text())

        out = open(self.folder / "collect.out", "w+b")
        self.addCleanup(out.close)
        collect = self.popen("collect", "collect", "--task", self.file("k", "collector"),
                             "--last", "3h", "--format", "json", "--wait", "5m", stdout=out)
        while self.kills < KILLS and collect.poll() is None:
            self.kill_one()
        status = collect.wait(timeout=300)
        self.leader.wait_ready()
        self.helper.wait_ready()
        out.seek(0)
        result = out.read().decode()
        self.assertEqual(status, 0, (self.folder / "collect.log").read_text() +
                         self.show(self.leader, "k") + self.show(self.helper, "k"))
        self.assertIn(f'"report_count":{REPORTS},', result)
        self.assertIn(f'"values":["{sum(bits)}"]', result)
        print(f"{self.kills} kills", flush=True)
        self.assertGreaterEqual(self.kills, 12)
        for server in (self.leader, self.helper):
            self.assertIn(f"{REPORTS:,}", self.show(server, "k"))


if __name__ == "__main__":
    unittest.main()
