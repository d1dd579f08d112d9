# SPDX-License-Identifier: Apache-2.0
"""A short run of chaos.py; a long one is started by hand."""
import os
import random
import tempfile
import unittest

from chaos import Chaos


class ChaosTest(unittest.TestCase):
    def test_nothing_is_lost_and_nothing_counts_twice(self):
        seed = int(os.environ.get("MOIETY_CHAOS_SEED", random.randrange(2**32)))
        print(f"MOIETY_CHAOS_SEED={seed}", flush=True)
        with tempfile.TemporaryDirectory(prefix="moiety-chaos-") as folder:
            chaos = Chaos(folder, leaders=2, helpers=2, seed=seed, skew_s=10)
            complaints = ["the run did not end"]
            try:
                outcome = chaos.run(reports=4000, faults=24, pause_s=0.5)
            finally:
                complaints = chaos.stop()
                print(dict(chaos.log), {n: f.done for n, f in chaos.fronts.items()}, flush=True)
        self.assertEqual(outcome, (0, 0))
        self.assertEqual(complaints, [])


if __name__ == "__main__":
    unittest.main()
