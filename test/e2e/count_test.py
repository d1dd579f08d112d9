# SPDX-License-Identifier: Apache-2.0
"""Small runs from measurement to result: types, batch modes, ways to answer."""
import random
import unittest

from pair import PairTest, moiety


class Count(PairTest):
    def setUp(self):
        super().setUp()
        self.start()

    def one_result(self, name, measurements, *options):
        self.upload(name, measurements, "--batch", 40)
        results = self.collect(name, *options)
        self.assertEqual(len(results), 1)
        self.assertEqual(results[0]["report_count"], len(measurements))
        return results[0]["values"]

    def test_types(self):
        self.make_task("count", "--vdaf", "count")
        ones = [1] * 70 + [0] * 30
        self.assertEqual(self.one_result("count", ones, "--last", "2h"), [70])

        self.make_task("sum", "--vdaf", "sum", "--max-measurement", 1000)
        numbers = [random.randint(0, 1000) for _ in range(60)]
        self.assertEqual(self.one_result("sum", numbers, "--last", "2h"), [sum(numbers)])

        self.make_task("sumvec", "--vdaf", "sumvec", "--length", 5, "--max-measurement", 255)
        vectors = [[random.randint(0, 255) for _ in range(5)] for _ in range(50)]
        self.assertEqual(self.one_result("sumvec", vectors, "--last", "2h"),
                         [sum(column) for column in zip(*vectors)])

        self.make_task("hot", "--vdaf", "multihotcountvec", "--length", 4, "--max-weight", 2)
        vectors = [random.choice([[1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 0]]) for _ in range(50)]
        self.assertEqual(self.one_result("hot", vectors, "--last", "2h"),
                         [sum(column) for column in zip(*vectors)])

    def test_histogram_with_a_helper_that_answers_later(self):
        self.make_task("h", "--vdaf", "histogram", "--length", 10, "--helper-async",
                       "--max-job-size", 30)
        buckets = [random.randrange(10) for _ in range(200)]
        self.assertEqual(self.one_result("h", buckets, "--last", "2h"),
                         [buckets.count(i) for i in range(10)])

    def test_three_leader_selected_batches_in_a_row(self):
        self.make_task("l", "--vdaf", "sum", "--max-measurement", 9, "--batch-mode",
                       "leader-selected", "--batch-target-size", 50, "--max-job-size", 25)
        numbers = [random.randint(0, 9) for _ in range(150)]
        self.upload("l", numbers)
        results = self.collect("l", "--batches", 3)
        self.assertEqual([r["report_count"] for r in results], [50, 50, 50])
        self.assertEqual(sum(r["values"][0] for r in results), sum(numbers))
        self.assertEqual(len({r["job"] for r in results}), 3)

    def test_what_is_no_measurement_is_told_and_the_rest_counts(self):
        self.make_task("b", "--vdaf", "histogram", "--length", 3)
        output = self.upload("b", ["0"] * 10 + ["3", "x", "-1", "1,1"] + ["2"] * 10, expect=1)
        self.assertIn("line 11: not a measurement", output)
        self.assertIn("4 were no measurements", output)
        self.assertEqual(self.collect("b", "--last", "2h")[0]["values"], [10, 0, 10])

    def test_a_collected_batch_is_closed(self):
        self.make_task("c", "--vdaf", "count")
        self.one_result("c", [1] * 20, "--last", "2h")
        output = moiety("collect", "--task", self.file("c", "collector"), "--last", "2h",
                        expect=1)
        self.assertIn("batchOverlap", output)
        self.assertIn("20 refused: report_replayed", self.upload("c", [1] * 20, expect=1))
        self.assertIn("upload_accepted", self.show(self.leader, "c"))


if __name__ == "__main__":
    unittest.main()
