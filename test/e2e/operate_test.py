# SPDX-License-Identifier: Apache-2.0
"""What an operator does besides: wrong input, keys, tokens, the doctor."""
import base64
import email.utils
import http.server
import json
import os
import subprocess
import threading
import time
import unittest
import urllib.request

from pair import MOIETY, MOIETYD, PairTest, get, moiety


def moietyd(*arguments):
    done = subprocess.run([MOIETYD, *map(str, arguments)], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if "Sanitizer" in done.stdout:
        raise AssertionError(done.stdout)
    return done.returncode, done.stdout


class Mistakes(PairTest):
    def test_configuration(self):
        status, output = moietyd("--check", "--config", self.leader.config)
        self.assertEqual((status, "good" in output), (0, True))
        self.leader.config.write_text("databas: x\nlisten:\n  - address: 0.0.0.0:80\n")
        status, output = moietyd("--config", self.leader.config)
        self.assertEqual(status, 1)
        self.assertIn(f"{self.leader.config}:1: databas: unknown key; did you mean database?",
                      output)
        self.assertIn("wrapping_keys: required", output)
        status, output = moietyd("--config", self.folder / "nowhere.yaml")
        self.assertEqual((status, "`moiety init FOLDER`" in output), (1, True))

    def test_tls_files_are_checked(self):
        """Their paths are taken from where the command is run, as in any command."""
        folder = self.folder / "tls"
        status = subprocess.run([MOIETY, "init", folder, "--tls-certificate", "here.pem",
                                 "--tls-key", "here.key"], cwd=self.folder,
                                stdout=subprocess.DEVNULL).returncode
        self.assertEqual(status, 0)
        status, output = moietyd("--check", "--config", folder / "moietyd.yaml")
        self.assertEqual(status, 1)
        self.assertIn(f'"{self.folder}/here.pem"', output)

    def test_plain_http_beyond_this_machine_is_refused(self):
        text = self.leader.config.read_text().replace(f"127.0.0.1:{self.leader.port}",
                                                      f"0.0.0.0:{self.leader.port}")
        self.leader.config.write_text(text)
        status, output = moietyd("--config", self.leader.config)
        self.assertEqual(status, 1)
        self.assertIn("needs a tls section, or allow_plain_http", output)

    def test_a_key_that_everyone_can_read_is_refused(self):
        (self.leader.folder / "wrapping.key").chmod(0o644)
        status, output = moietyd("--config", self.leader.config)
        self.assertEqual(status, 1)
        self.assertIn("chmod 600", output)

    def test_another_wrapping_key_is_told(self):
        self.leader.start()
        self.leader.stop()
        (self.leader.folder / "wrapping.key").write_text(os.urandom(32).hex() + "\n")
        status, output = moietyd("--check", "--config", self.leader.config)
        self.assertEqual(status, 1)
        self.assertIn("none of the wrapping_keys opens it", output)
        self.assertEqual(moietyd("--config", self.leader.config)[0], 1)

    def test_command_lines(self):
        for words, status, text in (
            ([], 2, "usage: moiety COMMAND"),
            (["--help"], 0, "task new"),
            (["tsak", "new"], 2, "did you mean task?"),
            (["task", "nwe"], 2, "did you mean new?"),
            (["task"], 2, "usage: moiety task"),
            (["task", "new", "--help"], 0, "--min-batch-size N"),
            (["task", "new"], 2, "arguments are missing"),
            (["task", "new", "x", "--lenght", "3"], 2, "did you mean --length?"),
            (["task", "new", "x", "--length"], 2, "--length needs a value"),
            (["task", "new", "x", "--length", "3x"], 2, "expected a whole number"),
            (["upload"], 2, "--task is needed"),
            (["upload", "--task", "no-such-file", "1"], 1, "no such file"),
            (["collect", "--task", self.leader.config], 1, "not JSON"),
            (["doctor"], 2, "what is to be examined?"),
            (["task", "list", "--config", "no-such-file"], 1, "no such file"),
            (["report", "decode", self.leader.config], 1, "expected one or more encoded reports"),
        ):
            self.assertIn(text, moiety(*words, expect=status), words)

    def test_small_batches_have_to_be_asked_for(self):
        arguments = ["task", "new", "s", "--out", self.folder, "--vdaf", "count", "--leader",
                     self.leader.url, "--helper", self.helper.url, "--min-batch-size", 99]
        self.assertIn("--allow-small-batches", moiety(*arguments, expect=2))
        self.assertIn("for tests only", moiety(*arguments, "--allow-small-batches"))
        moiety(*arguments, "--allow-small-batches", expect=1)  # never overwritten
        self.leader.start()
        output = moiety("task", "import", "--config", self.leader.config,
                        self.file("s", "leader"), expect=1)
        self.assertIn("--allow-small-batches", output)
        moiety("task", "import", "--config", self.leader.config, "--allow-small-batches",
               self.file("s", "leader"))
        self.assertIn("for tests only", self.show(self.leader, "s"))
        self.leader.stop()
        self.leader.start()
        self.assertIn("small batches tell about people", self.leader.logged())

    def test_each_task_has_an_id_and_a_verification_key_of_its_own(self):
        told = []
        for name in ("one", "two"):
            moiety("task", "new", name, "--out", self.folder, "--vdaf", "count", "--leader",
                   self.leader.url, "--helper", self.helper.url, "--min-batch-size", 100)
            leader, helper = (json.loads(self.file(name, party).read_text())
                              for party in ("leader", "helper"))
            self.assertEqual(leader["task_id"], helper["task_id"])
            self.assertEqual(leader["verify_keys"], helper["verify_keys"])
            told += [leader["task_id"], leader["verify_keys"][0]["key"]]
        self.assertEqual(len(set(told)), 4, told)

    def test_files_of_the_wrong_party(self):
        self.start()
        self.make_task("w", "--vdaf", "count")
        self.assertIn("client's file", moiety("task", "import", "--config", self.leader.config,
                                              self.file("w", "client"), expect=1))
        self.assertIn("leader's file", moiety("collect", "--task", self.file("w", "leader"),
                                              "--last", "1h", expect=1))
        for party, private in (("leader", True), ("helper", True), ("collector", True),
                               ("client", False)):
            mode = self.file("w", party).stat().st_mode
            self.assertEqual(mode & 0o077 == 0, private, party)


class Keys(PairTest):
    def keys(self):
        lines = moiety("key", "list", "--config", self.leader.config).splitlines()[1:]
        return {line.split()[0]: line.split()[1] for line in lines}

    def test_hpke_rotation_with_an_overlap(self):
        self.start()
        self.make_task("r", "--vdaf", "count")
        (old, state), = self.keys().items()
        self.assertEqual(state, "advertised")
        self.upload("r", [1] * 20)
        moiety("key", "rotate", "--config", self.leader.config)
        self.assertEqual(self.keys()[old], "accepted")
        self.upload("r", [1] * 20)
        self.assertEqual(self.collect("r", "--last", "2h")[0]["values"], [40])

    def test_wrapping_and_data_keys(self):
        self.start()
        self.make_task("k", "--vdaf", "count")
        self.upload("k", [1] * 20)
        self.leader.stop()
        folder = self.leader.folder
        new = folder / "new.key"
        new.write_text(os.urandom(32).hex() + "\n")
        new.chmod(0o600)
        config = self.leader.config.read_text()
        self.leader.config.write_text(config.replace("[wrapping.key]", "[new.key, wrapping.key]"))
        self.assertIn("wrapped again", moiety("db", "reseal", "--config", self.leader.config))
        moiety("db", "rotate-key", "--config", self.leader.config)
        self.leader.config.write_text(config.replace("[wrapping.key]", "[new.key]"))
        (folder / "wrapping.key").unlink()
        self.assertIn("good: 1 tasks", moiety("db", "check", "--config", self.leader.config))
        self.assertIn("already", moiety("db", "migrate", "--config", self.leader.config))
        self.leader.start()
        self.upload("k", [1] * 20)
        self.assertEqual(self.collect("k", "--last", "2h")[0]["values"], [40])

    def test_a_restored_backup_counts_nothing_twice(self):
        self.start()
        self.make_task("r", "--vdaf", "count")
        self.leader.stop()
        database = self.leader.folder / "moiety.db"
        backup = database.read_bytes()
        self.leader.start()
        self.upload("r", [1] * 20)
        self.assertEqual(self.collect("r", "--last", "2h")[0]["values"], [20])
        self.leader.stop()
        database.write_bytes(backup)
        moiety("db", "restored", "--config", self.leader.config, expect=1)
        said = moiety("db", "restored", "--yes", "--config", self.leader.config)
        self.assertIn("1 tasks are safe to serve", said)
        self.leader.start()
        said = self.upload("r", [1] * 20, expect=1)
        self.assertIn("report_", said)

    def test_a_database_without_its_key_gives_no_secret_away(self):
        self.start()
        self.make_task("s", "--vdaf", "count")
        task = json.loads(self.file("s", "leader").read_text())
        self.leader.stop()
        stored = b"".join(path.read_bytes() for path in self.leader.folder.glob("moiety.db*"))
        key = task["verify_keys"][0]["key"]
        raw = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        for secret in (raw, task["aggregator"]["token"].encode()):
            self.assertNotIn(secret, stored)
        collector = json.loads(self.file("s", "collector").read_text())["token"]
        self.assertNotIn(collector.encode(), stored)


class Doctor(PairTest):
    def setUp(self):
        super().setUp()
        self.start()

    def examine(self, *files, expect=1):
        return moiety("doctor", *files, expect=expect)

    def test_a_good_pair(self):
        self.make_task("g", "--vdaf", "count")
        output = self.examine(*(self.file("g", p) for p in
                                ("leader", "helper", "collector", "client")), expect=0)
        self.assertIn("the helper has the same configuration", output)
        self.assertIn("files agree", output)
        self.assertIn(" 0 bad", output)
        self.assertIn(" 0 bad", moiety("doctor", "--config", self.leader.config))

    def test_an_unknown_task_and_a_server_that_is_down(self):
        moiety("task", "new", "u", "--out", self.folder, "--vdaf", "count", "--leader",
               self.leader.url, "--helper", self.helper.url, "--min-batch-size", 100)
        output = self.examine(self.file("u", "leader"))
        self.assertIn("the leader does not know this task", output)
        self.assertIn("the helper does not know this task", output)
        self.helper.stop()
        self.assertIn("does moietyd run there", self.examine(self.file("u", "leader")))

    def edit(self, name, party, change):
        path = self.file(name, party)
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    def test_wrong_tokens(self):
        self.make_task("t", "--vdaf", "count")
        self.edit("t", "collector", lambda f: f.update(token="x" * 43))
        self.edit("t", "leader", lambda f: f["aggregator"].update(token="x" * 43))
        self.assertIn("refuses the collector's credentials",
                      self.examine(self.file("t", "collector")))
        self.assertIn("refuses the leader's credentials", self.examine(self.file("t", "leader")))

    def test_a_mismatched_task(self):
        options = ["--vdaf", "count", "--leader", self.leader.url, "--helper", self.helper.url]
        for name, minimum in (("a", 100), ("b", 200)):
            moiety("task", "new", name, "--out", self.folder, "--min-batch-size", minimum, *options)
        b = json.loads(self.file("b", "leader").read_text())
        # The helper gets task a; the leader's file has its id, but b's configuration.
        moiety("task", "import", "--config", self.helper.config, self.file("a", "helper"))
        self.edit("a", "leader", lambda f: f.update(task_configuration=b["task_configuration"]))
        output = self.examine(self.file("a", "leader"), self.file("a", "helper"))
        self.assertIn("the helper has another configuration of this task", output)
        self.assertIn("files have different configurations", output)

    def test_clock_skew(self):
        config = get(self.helper.url + "hpke_config")[1]

        class Ahead(http.server.BaseHTTPRequestHandler):
            def date_time_string(self, timestamp=None):
                return email.utils.formatdate(time.time() + 600, usegmt=True)

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/ppm-dap;message=hpke-config-list")
                self.send_header("Content-Length", str(len(config)))
                self.end_headers()
                self.wfile.write(config)

            def log_message(self, *arguments):
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Ahead)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        moiety("task", "new", "c", "--out", self.folder, "--vdaf", "count", "--leader",
               self.leader.url, "--helper", f"http://127.0.0.1:{server.server_port}/",
               "--min-batch-size", 100)
        self.assertIn("s ahead of ours", self.examine(self.file("c", "client")))


class Places(PairTest):
    """An endpoint below a path, and web pages of other origins."""

    EXTRA = PairTest.EXTRA + 'base_path: /dap/v18\ncors_origins: ["https://app.example"]\n'

    def setUp(self):
        super().setUp()
        for server in (self.leader, self.helper):
            server.path = "dap/v18/"
        self.start()

    def test_everything_below_a_path(self):
        self.make_task("p", "--vdaf", "count", "--helper-async")
        self.upload("p", [1] * 20)
        self.assertEqual(self.collect("p", "--last", "2h")[0]["values"], [20])
        self.assertIn(" 0 bad", moiety("doctor", self.file("p", "leader")))
        self.assertEqual(get(self.leader.url.replace("/dap/v18/", "/") + "hpke_config")[0], 404)

    def test_a_web_page_may_upload(self):
        for origin, allowed in (("https://app.example", True), ("https://evil.example", False)):
            request = urllib.request.Request(self.leader.url + "hpke_config",
                                             headers={"Origin": origin})
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.assertEqual(answer.headers.get("Access-Control-Allow-Origin") == origin,
                                 allowed)


class Reports(PairTest):
    def test_a_written_report_can_be_read_and_sent_by_anyone(self):
        self.start()
        self.make_task("w", "--vdaf", "histogram", "--length", 4)
        out = self.folder / "reports"
        self.upload("w", [2] * 12, "--out", out)
        shown = moiety("report", "decode", "--task", self.file("w", "client"), out)
        self.assertEqual(shown.count("helper's share: key "), 12)
        task = json.loads(self.file("w", "client").read_text())["task_id"]
        request = urllib.request.Request(
            f"{self.leader.url}tasks/{task}/reports", data=out.read_bytes(),
            headers={"Content-Type": "application/ppm-dap;message=upload-req"})
        for replay in (False, True):
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.assertEqual(answer.read() != b"", replay)
        self.assertEqual(self.collect("w", "--last", "2h")[0]["values"], [0, 0, 12, 0])


class Uploads(PairTest):
    """What ends an upload before all is sent."""

    def setUp(self):
        super().setUp()
        self.start()

    def test_patience_ends_for_reports_that_stay_too_early(self):
        self.make_task("e", "--vdaf", "count")
        later = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime(time.time() + 4 * 3600))
        output = self.upload("e", [1], "--time", later, "--patience", "1s", expect=1)
        self.assertIn("report_too_early", output)

    def test_a_task_that_ends_meanwhile(self):
        end = int(time.time()) + 4
        self.make_task("m", "--vdaf", "count", "--time-precision", "1s", "--start",
                       "2026-01-01T00:00:00Z", "--end",
                       time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)))
        upload = subprocess.Popen([MOIETY, "upload", "--task", self.file("m", "client"),
                                   "--batch", "1", "--parallel", "1"], text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        upload.stdin.write("1\n")
        upload.stdin.flush()
        time.sleep(max(0, end + 1 - time.time()))
        output = upload.communicate("1\n", timeout=60)[0]
        self.assertEqual(upload.returncode, 1, output)
        self.assertIn("1 reports uploaded", output)
        self.assertIn("not begun yet or is over", output)
        self.assertNotIn("may or may not", output)
        self.assertNotIn("Sanitizer", output)


class Tasks(PairTest):
    def test_a_header_for_apps(self):
        self.make_task("2 visits", "--vdaf", "count")
        header = moiety("task", "header", self.file("2 visits", "client"))
        self.assertIn("static const struct moiety_task _2_visits_task = {", header)
        file = json.loads(self.file("2 visits", "client").read_text())
        for what, encoded in (("task_id", file["task_id"]),
                              ("configuration", file["task_configuration"])):
            raw = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            text = header.split(f"_2_visits_{what}[{len(raw)}] = {{")[1].split("}")[0]
            self.assertEqual(bytes(int(byte, 0) for byte in text.replace(",", " ").split()), raw)

    def test_export_and_remove(self):
        self.start()
        self.make_task("x", "--vdaf", "count")
        task = json.loads(self.file("x", "client").read_text())["task_id"]
        for server, party in ((self.leader, "leader"), (self.leader, "helper"),
                              (self.helper, "helper"), (self.leader, "client")):
            out = self.folder / "exported.json"
            moiety("task", "export", "--config", server.config, "--as", party, "--out", out, "--",
                   task)
            first, again = json.loads(self.file("x", party).read_text()), json.loads(out.read_text())
            for name in ("task_id", "task_configuration", "verify_keys", "collector_hpke_config"):
                self.assertEqual(first.get(name), again.get(name), (party, name))
            if party == "helper":
                self.assertEqual(first["aggregator"]["token_hash"], again["aggregator"]["token_hash"])
            out.unlink()
        moiety("task", "set", "--config", self.leader.config, "--settings",
               '{"max_job_size": 7}', "--", task)
        self.assertIn('"max_job_size": 7', self.show(self.leader, "x"))
        self.assertIn('"allow_small_batches": true', self.show(self.leader, "x"))
        self.assertIn("max_job_siz", moiety("task", "set", "--config", self.leader.config,
                                            "--settings", '{"max_job_siz": 7}', "--", task,
                                            expect=1))
        moiety("task", "import", "--config", self.leader.config, "--allow-small-batches",
               self.file("x", "leader"))  # the same again changes nothing
        self.assertIn('"max_job_size": 7', self.show(self.leader, "x"))
        self.assertIn("add --yes", moiety("task", "rm", "--config", self.leader.config, "--", task,
                                          expect=1))
        moiety("task", "rm", "--config", self.leader.config, "--yes", "--", task)
        self.assertNotIn(task, moiety("task", "list", "--config", self.leader.config))
        self.assertEqual(len(moiety("peer", "list", "--config",
                                    self.leader.config).splitlines()), 1)

    def test_peers_and_their_tokens(self):
        self.start()
        self.make_task("p", "--vdaf", "count")
        def peer(*arguments, server=self.leader, **options):
            return moiety("peer", *arguments, "--config", server.config, **options)
        def listed(name, server=self.leader):
            line, = (line.split() for line in peer("list", server=server).splitlines()
                     if line.startswith(name))
            return line
        name, = (line.split()[0] for line in peer("list").splitlines()
                 if line.startswith("helper-"))
        self.assertIn("there is no peer helper-x", peer("set", "helper-x", "--no-token", expect=1))
        self.assertNotIn("helper-x", peer("list"))
        peer("set", "--new", "helper-x")
        self.assertEqual(listed("helper-x")[2:4], ["no", "no"])
        for text in ("", "two words", "caf\u00e9", "===", "a,b"):
            self.assertIn("holds no token", peer("set", name, "--send-token-file", "-",
                                                 stdin=text + "\n", expect=1))
        self.assertEqual(listed(name)[2:4], ["yes", "no"])
        peer("set", name, "--no-token")
        self.assertEqual(listed(name)[2:4], ["yes", "no"])
        peer("set", name, "--no-send-token", "--new-token")
        self.assertEqual(listed(name)[2:4], ["no", "yes"])
        peer("set", name, "--send-token-file", "-", "--no-token", stdin="a-._~+/9==\n")
        self.assertEqual(listed(name)[2:4], ["yes", "no"])

    def test_a_collection_that_is_refused_leaves_nothing_behind(self):
        self.start()
        self.make_task("r", "--vdaf", "count")
        self.upload("r", [1] * 20)
        path = self.file("r", "collector")
        good = path.read_text()
        path.write_text(json.dumps({**json.loads(good), "token": "x" * 43}))
        collect = ["collect", "--task", path, "--last", "2h"]
        self.assertIn("the leader refuses", moiety(*collect, expect=1))
        path.write_text(good)
        output = moiety(*collect, "--wait", "120s")
        self.assertNotIn("taking up", output)
        self.assertIn("20 reports", output)

    def test_a_collection_that_was_broken_off_is_taken_up(self):
        self.start()
        self.make_task("b", "--vdaf", "count", "--batch-mode", "leader-selected", minimum=30)
        self.upload("b", [1] * 20)
        collect = ["collect", "--task", self.file("b", "collector")]
        self.assertIn("not there yet", moiety(*collect, "--no-wait", expect=3))
        state = self.folder / "b.collector.json.state"
        self.assertIn("job_url", state.read_text())
        self.upload("b", [1] * 20)
        output = moiety(*collect, "--wait", "120s")
        self.assertIn("taking up the collection", output)
        self.assertIn("40 reports", output)
        self.assertFalse(state.exists())
        journal = (self.folder / "b.collector.json.results").read_text().splitlines()
        self.assertEqual([json.loads(line)["values"] for line in journal], [["40"]])


if __name__ == "__main__":
    unittest.main()
