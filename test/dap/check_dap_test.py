#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/check-dap against a small draft and a small tree.

usage: check_dap_test.py CHECK_DAP
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECK_DAP = sys.argv.pop(1)

DRAFT = """\
# Introduction

Before the conventions a server MUST NOT count.

## Conventions and Definitions

# First Section {#first}

Servers MUST do this. They may do that. If so, they SHOULD
say so in {{first}}.

* Clients MUST
  wrap lines; and
* clients RECOMMENDED nothing.

~~~ code
Code MUST NOT count.
~~~
{: #figure title="Nor MUST a title"}

## A Plain Heading!

1. It is REQUIRED. The rest is not required.
"""

FUNCTIONS = """\
struct status report_check(const struct report *report,
                           int how) {
    return OK;
}
int only_declared(void);
"""

TESTS = "Test(report, is_checked) {\n}\n"
METHODS = """\
class Pair(TestCase):
    def helper(self):
        pass

    def test_counts(self):
        pass
"""
CMAKE = "moiety_test(dap/first SOURCES a.c)\nadd_test(NAME e2e/demo COMMAND demo)\n"


class CheckDap(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        for name, text in {"draft.md": DRAFT, "src/dap/report.c": FUNCTIONS,
                           "test/dap/report.c": TESTS,
                           "test/e2e/pair_test.py": METHODS, "test/dap/CMakeLists.txt": CMAKE}.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (self.root / "docs").mkdir()
        listed = self.run_tool("--list", str(self.root / "draft.md"))[1]
        self.ids = [line.split("`")[1] for line in listed.splitlines()]
        self.listed = listed
        self.rows = [(i, "`report_check()`", "`report.is_checked`") for i in self.ids]

    def tearDown(self):
        self.folder.cleanup()

    def run_tool(self, *arguments):
        done = subprocess.run([CHECK_DAP, "--root", str(self.root), *arguments],
                              capture_output=True, text=True)
        return done.returncode, done.stdout

    def check(self, *arguments):
        table = "".join(f"| `{i}` | text | {f} | {t} |\n" for i, f, t in self.rows)
        (self.root / "docs/dap.md").write_text("# Title\n\n| id | a | b | c |\n" + table)
        return self.run_tool(*(arguments or [str(self.root / "draft.md")]))

    def expect_problem(self, text, *arguments):
        status, output = self.check(*arguments)
        self.assertEqual(status, 1, output)
        self.assertIn(text, output)

    def test_requirements_are_found(self):
        self.assertEqual([i.rsplit("-", 1)[0] for i in self.ids],
                         ["first-1", "first-2", "first-3", "first-4", "a-plain-heading-1"])
        self.assertIn("They may do that. If so, they SHOULD say so in {{first}}.", self.listed)
        self.assertIn("| Clients MUST wrap lines; and |", self.listed)
        self.assertIn("| It is REQUIRED. |", self.listed)

    def test_a_complete_table_passes(self):
        self.assertEqual(self.check(), (0, "5 rows, 0 problems\n"))

    def test_a_missing_row_fails(self):
        missing = self.rows.pop(2)
        self.expect_problem(f"{missing[0]}: has no row: Clients MUST wrap lines; and")

    def test_a_reworded_requirement_fails(self):
        (self.root / "draft.md").write_text(DRAFT.replace("do this", "do that"))
        self.expect_problem(f"{self.ids[0]}: is not in the draft")
        self.expect_problem("has no row: Servers MUST do that.")

    def test_a_repeated_row_fails(self):
        self.rows.append(self.rows[0])
        self.expect_problem("has several rows")

    def test_a_function_that_is_only_declared_fails(self):
        self.rows[1] = (self.ids[1], "`only_declared()`", "`report.is_checked`")
        self.expect_problem("there is no function only_declared()")
        self.expect_problem("there is no function only_declared()", "--names")

    def test_a_test_that_is_not_there_fails(self):
        self.rows[1] = (self.ids[1], "`report_check()`", "`report.is_not_checked`")
        self.expect_problem("there is no test report.is_not_checked")
        self.expect_problem("there is no test report.is_not_checked", "--names")

    def test_names_of_ctest_count_as_tests(self):
        self.rows[1] = (self.ids[1], "`report_check()`", "`dap/first` `e2e/demo`")
        self.assertEqual(self.check()[0], 0)

    def test_methods_of_python_count_as_tests(self):
        self.rows[1] = (self.ids[1], "`report_check()`", "`Pair.test_counts`")
        self.assertEqual(self.check()[0], 0)
        self.rows[1] = (self.ids[1], "`report_check()`", "`Pair.helper`")
        self.expect_problem("there is no test Pair.helper")

    def test_a_row_must_name_something(self):
        self.rows[1] = (self.ids[1], "", "")
        self.expect_problem("names no function")
        self.expect_problem("names no test")

    def test_a_reason_is_needed(self):
        self.rows[1] = (self.ids[1], "n/a", "no")
        self.expect_problem("n/a without a reason")
        self.rows[1] = (self.ids[1], "n/a", "for documents only")
        self.assertEqual(self.check()[0], 0)

    def test_an_open_row_fails_against_the_draft_alone(self):
        self.rows[1] = (self.ids[1], "open", "")
        self.expect_problem(f"{self.ids[1]}: is open")
        self.assertEqual(self.check("--names")[0], 0)

    def test_a_file_without_requirements_fails(self):
        (self.root / "draft.md").write_text("# Nothing\n")
        self.rows = []
        self.expect_problem("no requirements found")


if __name__ == "__main__":
    unittest.main()
