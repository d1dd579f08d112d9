# SPDX-License-Identifier: Apache-2.0
"""A short run of chaos.py; a long one is started by hand."""
import os
import random
import tempfile
import unittest

from chaos import Chaos


class ChaosTest(unittest.TestCase):
    def survive(self, faults, **how):
        seed = int(os.environ.get("MOIETY_CHAOS_SEED", random.randrange(2**32)))
        print(f"MOIETY_CHAOS_SEED={seed}", flush=True)
        with tempfile.TemporaryDirectory(prefix="moiety-chaos-") as folder:
            chaos = Chaos(folder, leaders=2, helpers=2, seed=seed, skew_s=10)
            complaints = ["the run did not end"]
            try:
                outcome = chaos.run(reports=4000, faults=faults, pause_s=0.5, **how)
            finally:
                complaints = chaos.stop()
                print(dict(chaos.log), {n: f.done for n, f in chaos.fronts.items()}, flush=True)
        self.assertEqual(outcome, (0, 0))
        self.assertEqual(complaints, [])
        return chaos.log

    def test_nothing_is_lost_and_nothing_counts_twice(self):
        self.survive(faults=24)

    def test_nor_while_the_next_release_takes_over(self):
        log = self.survive(faults=14, upgrade=True)
        self.assertGreaterEqual(log["next_release"], 2)


if __name__ == "__main__":
    unittest.main()
