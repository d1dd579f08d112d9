# SPDX-License-Identifier: Apache-2.0
"""A few days of soak.py, each of which must come out exactly; long ones are run by
hand, and look at memory and tables."""
import tempfile
import unittest

from soak import Soak


class SoakTest(unittest.TestCase):
    def test_some_days(self):
        with tempfile.TemporaryDirectory(prefix="moiety-soak-") as folder:
            soak = Soak(folder, day_s=0.5, reports=100, parts=1)
            said = ["it did not end"]
            try:
                samples = soak.run(days=4)
            finally:
                said = soak.stop()
        self.assertEqual(said, [])
        self.assertGreater(soak.collected, 10)
        keys = samples[-1]["tables"]["leader.hpke_key"]
        self.assertGreater(keys[1], 1)  # one took the place of the first


if __name__ == "__main__":
    unittest.main()
