# SPDX-License-Identifier: Apache-2.0
"""A leader and a helper as real processes, for tests.

Everything lies in a folder of its own that goes with the pair. The programs are
those that MOIETY and MOIETYD name in the environment.
"""
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

MOIETY = os.environ["MOIETY"]
MOIETYD = os.environ["MOIETYD"]
START_S = 60


def free_ports(count):
    """Ports below those that the system gives to connections, which might take
    one before its server does."""
    ports = []
    while len(ports) < count:
        port = random.randrange(10240, 32768)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        if port not in ports:
            ports.append(port)
    return ports


def get(url, **options):
    """(status, body) of a GET; status 0 if nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=10, **options) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


def moiety(*arguments, stdin=None, expect=0, world=None, program=MOIETY):
    """Runs the command line; returns what it printed, standard error behind it.
    `expect` is the exit status that the test wants, None for any."""
    done = subprocess.run([program, *map(str, arguments)], input=stdin, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300,
                          env=world.environment() if world else None)
    if "Sanitizer" in done.stderr or expect not in (None, done.returncode):
        raise AssertionError(f"moiety {' '.join(map(str, arguments))}: exit status "
                             f"{done.returncode}, not {expect}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Server:
    """One moietyd. Replicas share a `database`, which is then a URL, and a
    `key` (64 hexadecimal digits). Its clock can be put wrong in a `world`."""

    def __init__(self, folder, extra="", listener="", database="sqlite:moiety.db", key=None,
                 world=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.config = self.folder / "moietyd.yaml"
        self.log = self.folder / "log"
        self.port, self.admin_port = free_ports(2)
        self.process = None
        self.program = MOIETYD
        self.world = world
        self.path = ""  # of the endpoint
        self.scheme = "https" if "tls:" in listener else "http"
        key_file = self.folder / "wrapping.key"
        key_file.write_text((key or os.urandom(32).hex()) + "\n")
        key_file.chmod(0o600)
        self.common = (
            f'database: "{database}"\n'
            "wrapping_keys: [wrapping.key]\n"
            f"listen:\n  - address: 127.0.0.1:{self.port}\n{listener}"
            f"admin:\n  address: 127.0.0.1:{self.admin_port}\n")
        self.configure(extra)

    def configure(self, extra):
        """Writes the configuration, for the next start."""
        self.config.write_text(self.common + extra)

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}/{self.path}"

    @property
    def admin(self):
        return f"http://127.0.0.1:{self.admin_port}"

    def launch(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--config", self.config], stderr=log,
                env=self.world.environment() if self.world else None)

    def start(self):
        self.launch()
        self.wait_ready()

    def wait_ready(self):
        end = time.monotonic() + START_S
        while get(self.admin + "/readyz")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.folder.name} does not get ready:\n" + self.logged())
            time.sleep(0.05)

    def logged(self):
        return self.log.read_text() if self.log.exists() else ""

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def metric(self, name):
        """The sum of a metric's series."""
        total = 0.0
        for line in get(self.admin + "/metrics")[1].decode().splitlines():
            if line.startswith(name) and line[len(name)] in "{ ":
                total += float(line.rsplit(" ", 1)[1])
        return total


class ServerTest(unittest.TestCase):
    """Of servers, which are to end well."""

    def end_server(self, server):
        """What is still running ends well, with nothing that a sanitizer
        minds."""
        status = server.stop()
        self.assertIn(status, (None, 0), server.logged())
        self.assertNotIn("Sanitizer", server.logged())
        self.assertNotIn("runtime error", server.logged())


class PairTest(ServerTest):
    """A test with a pair: self.leader, self.helper, self.folder."""

    EXTRA = "aggregator:\n  job_poll: 50ms\n"

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="moiety-e2e-")
        self.addCleanup(self.temporary.cleanup)
        self.folder = pathlib.Path(self.temporary.name)
        self.leader = self.make_server("leader")
        self.helper = self.make_server("helper")

    def make_server(self, name, **options):
        options.setdefault("extra", self.EXTRA)
        server = Server(self.folder / name, **options)
        self.addCleanup(self.end_server, server)
        return server

    def start(self):
        self.leader.start()
        self.helper.start()

    def make_task(self, name, *options, minimum=10, import_options=()):
        """Makes a task and imports it on both; its files are folder/name.*.json."""
        moiety("task", "new", name, "--out", self.folder, "--leader", self.leader.url, "--helper",
               self.helper.url, "--min-batch-size", minimum, "--allow-small-batches", *options)
        for server, party in ((self.leader, "leader"), (self.helper, "helper")):
            moiety("task", "import", "--config", server.config, "--allow-small-batches",
                   *import_options, self.file(name, party))

    def file(self, name, party):
        return self.folder / f"{name}.{party}.json"

    def upload(self, name, measurements, *options, expect=0):
        return moiety("upload", "--task", self.file(name, "client"), *options,
                      stdin="".join(f"{m}\n" for m in measurements), expect=expect)

    def collect(self, name, *options):
        """The results, each as its JSON object, values as numbers."""
        output = moiety("collect", "--task", self.file(name, "collector"), "--format", "json",
                        "--wait", "120s", *options)
        results = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        for result in results:
            result["values"] = [int(value) for value in result["values"]]
        return results

    def show(self, server, name):
        task = json.loads(self.file(name, "client").read_text())["task_id"]
        return moiety("task", "show", "--config", server.config, "--", task)
