# SPDX-License-Identifier: Apache-2.0
"""What the doctor says of a batch that leader and helper counted differently."""
import sqlite3
import time
import unittest

from pair import PairTest, moiety


class Mismatch(PairTest):
    def setUp(self):
        super().setUp()
        self.start()
        self.make_task("m", "--vdaf", "count")
        self.upload("m", [1] * 20)
        self.wait_aggregated(20)

    def wait_aggregated(self, count):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if len(self.reports(self.dump(self.leader))) == count:
                return
            time.sleep(0.2)
        self.fail("the leader does not aggregate\n" + self.leader.logged())

    def dump(self, server):
        return moiety("batch", "dump", "--config", server.config, "m")

    def reports(self, dump):
        return {line.split()[1]: line.split()[2:] for line in dump.splitlines()
                if line.startswith("report ")}

    def doctor(self, *dumps, expect):
        paths = []
        for name, dump in zip("ab", dumps):
            paths.append(self.folder / name)
            paths[-1].write_text(dump)
        return moiety("doctor", "--batch", *paths, expect=expect)

    def tamper(self, server, *statements):
        server.stop()
        with sqlite3.connect(server.folder / "moiety.db") as db:
            for statement in statements:
                db.execute(statement)
        db.close()

    def test_a_sound_pair_agrees(self):
        said = self.doctor(self.dump(self.leader), self.dump(self.helper), expect=0)
        self.assertIn("20 reports are the same on both sides", said)

    def test_a_report_that_the_leader_lost_is_named_with_its_job(self):
        self.tamper(self.leader,
                    "UPDATE noted_ids SET ids = substr(ids, 17) WHERE number ="
                    " (SELECT MIN(number) FROM noted_ids)",
                    "UPDATE bucket SET report_count = report_count - 1")
        ours, theirs = self.dump(self.leader), self.dump(self.helper)
        lost, = set(self.reports(theirs)) - set(self.reports(ours))
        job, = self.reports(theirs)[lost]
        said = self.doctor(ours, theirs, expect=1)
        self.assertIn(f"report {lost}: the helper alone has counted it, in aggregation job {job}",
                      said)
        self.assertEqual(said.count("alone has counted it"), 1, said)
        self.assertRegex(said, r"batch \S+ differs \(count and checksum\): the leader has 19 ")
        self.assertIn("can't be collected", said)
        # In the other order the same.
        self.assertIn(f"report {lost}: the helper alone",
                      self.doctor(theirs, ours, expect=1))

    def test_what_is_no_pair_of_dumps_is_refused(self):
        dump = self.dump(self.leader)
        self.assertIn("both files are the leader's", self.doctor(dump, dump, expect=1))
        self.assertIn("not a whole file", self.doctor(dump, dump[:-4], expect=1))
        self.assertIn("not a whole file", self.doctor(dump, "{}", expect=1))
        self.assertIn("takes two FILEs", self.doctor(dump, expect=2))


if __name__ == "__main__":
    unittest.main()
