#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A private pair: all four parties get their certificates by ACME from `moiety ca`,
with account keys bound to their roles, and nothing else shows who they are."""
import json
import pathlib
import subprocess
import tempfile
import time
import unittest

from pair import MOIETY, START_S, Server, ServerTest, free_ports, moiety

# An address each, where others have a name each: the CA looks for the answers to
# challenges at one port.
LEADER, HELPER, COLLECTOR, CLIENT = (f"127.0.0.{n}" for n in range(2, 6))
TLS = ("    tls:\n      acme: true\n      client_ca: ../ca/root.pem\n"
       "      client_certificate: required\n")


class Private(ServerTest):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="moiety-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.root = self.folder / "ca" / "root.pem"
        self.ca_port, self.port, self.challenge_port = free_ports(3)
        self.directory = f"https://localhost:{self.ca_port}/directory"
        self.start_authority()
        self.leader = self.make_server("leader", LEADER)
        self.helper = self.make_server("helper", HELPER)

    # ---- The authority ----

    def start_authority(self):
        folder = self.folder / "ca"
        moiety("ca", "init", folder, "--listen", f"127.0.0.1:{self.ca_port}")
        self.ca_config = folder / "ca.yaml"
        with open(self.ca_config, "a") as config:
            config.write(f"validation: {{tls_port: {self.port}, http_port: {self.challenge_port}}}\n"
                         "allow: {domains: [localhost], networks: [127.0.0.0/8]}\n")
        with open(folder / "log", "ab") as log:
            process = subprocess.Popen([MOIETY, "ca", "serve", "--config", self.ca_config],
                                       stderr=log)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.terminate)
        end = time.monotonic() + START_S
        while not self.listens():
            self.assertLess(time.monotonic(), end, (folder / "log").read_text())
            time.sleep(0.05)

    def listens(self):
        done = subprocess.run(["curl", "-fs", "--cacert", self.root, self.directory],
                              stdout=subprocess.DEVNULL, timeout=20)
        return done.returncode == 0

    def account_key(self, role, folder):
        """The file with its name and the key: good for one account and the role's profile."""
        file = folder / f"{role}.eab"
        file.write_text(moiety("ca", "eab-add", "--config", self.ca_config, "--profiles", role))
        return file

    # ---- The parties ----

    def make_server(self, name, address):
        server = Server(self.folder / name, listener=TLS)
        server.common = server.common.replace(f"127.0.0.1:{server.port}",
                                              f"{address}:{self.port}")
        server.endpoint = f"https://{address}:{self.port}/"
        self.account_key("aggregator", server.folder)
        server.configure(
            "aggregator: {job_poll: 50ms}\n"
            "peers:\n  ca: ../ca/root.pem\n  certificate: acme/pair.pem\n  key: acme/pair.pem\n"
            f"acme:\n  names: [{address}]\n  folder: acme\n  directory: {self.directory}\n"
            f"  ca: ../ca/root.pem\n  profile: aggregator\n  eab_key: aggregator.eab\n")
        self.addCleanup(self.end_server, server)
        return server

    def start_servers(self):
        for server in (self.leader, self.helper):
            server.launch()
        for server in (self.leader, self.helper):
            self.wait_certified(server)

    def wait_certified(self, server):
        server.wait_ready()
        end = time.monotonic() + START_S
        while server.metric("moiety_certificate_renewals_total") < 1:
            self.assertLess(time.monotonic(), end, server.logged())
            time.sleep(0.05)

    def order(self, name, role, address, *options, expect=0):
        """Gets a certificate for the party of that name; what was said."""
        folder = self.folder / name
        account = []
        if not folder.exists():
            # The folder is made by the command.
            account = ["--eab-key", self.account_key(role, self.folder)]
        return moiety("cert", "issue", "--directory", self.directory, "--ca", self.root,
                      "--folder", folder, *account, "--http",
                      f"{address}:{self.challenge_port}", *options, address, expect=expect)

    def tls(self, name):
        pair = self.folder / name / "pair.pem"
        return ["--ca", self.root, "--certificate", pair, "--key", pair]

    def make_task(self):
        moiety("task", "new", "t", "--out", self.folder, "--leader", self.leader.endpoint,
               "--helper", self.helper.endpoint, "--vdaf", "count", "--min-batch-size", 10,
               "--allow-small-batches")
        for server, party, whom in (
                (self.leader, "leader", ["--collector-certificate", f"IP:{COLLECTOR}"]),
                (self.helper, "helper", ["--peer-certificate", f"IP:{LEADER}"])):
            moiety("task", "import", "--config", server.config, "--allow-small-batches", *whom,
                   self.folder / f"t.{party}.json")
            for line in moiety("peer", "list", "--config", server.config).splitlines()[1:]:
                moiety("peer", "set", "--config", server.config, "--no-token", line.split()[0])

    def upload(self, *options, expect=0):
        return moiety("upload", "--task", self.folder / "t.client.json", "--patience", "20s",
                      *options, stdin="1\n" * 12, expect=expect)

    def collect(self, *options, expect=0):
        return moiety("collect", "--task", self.folder / "t.collector.json", "--last", "2h",
                      "--wait", "60s", "--format", "json", *options, expect=expect)

    # ---- The tests ----

    def test_the_whole_way(self):
        self.start_servers()
        self.order("collector", "collector", COLLECTOR)
        self.order("client", "client", CLIENT)
        self.make_task()
        self.assertIn("0 bad", moiety("doctor", *self.tls("leader/acme"),
                                      self.folder / "t.leader.json"))

        said = self.upload("--ca", self.root, "--patience", "2s", expect=1)
        self.assertIn("certificate", said)
        self.upload(*self.tls("client"))
        # Whoever is let in may upload, but a role gives no right to another's part.
        for wrong in ("client", "leader/acme"):
            self.assertIn("401", self.collect(*self.tls(wrong), expect=1))
        (line,) = [line for line in self.collect(*self.tls("collector")).splitlines()
                   if line.startswith("{")]
        self.assertEqual([int(value) for value in json.loads(line)["values"]], [12])

        listed = moiety("ca", "list", "--config", self.ca_config)
        for address, profile in ((LEADER, "aggregator"), (HELPER, "aggregator"),
                                 (COLLECTOR, "collector"), (CLIENT, "client")):
            self.assertEqual(sum(address in entry and f"  {profile}  " in entry
                                 for entry in listed.splitlines()), 1, listed)

    def test_roles(self):
        self.leader.launch()
        self.wait_certified(self.leader)
        # An account key is good for the profiles that it was made for.
        said = self.order("client", "client", CLIENT, "--profile", "aggregator", expect=1)
        self.assertIn("profile", said)
        self.order("client", "client", CLIENT)
        # And for one account.
        said = moiety("cert", "account", "register", "--directory", self.directory, "--ca",
                      self.root, "--folder", self.folder / "second", "--eab-key",
                      self.folder / "client.eab", expect=1)
        self.assertIn("was used for another account", said)
        # A server's certificate doesn't make a client: listeners look at the usage.
        self.order("web", "web", "127.0.0.6")
        for name, good in (("web", False), ("client", True)):
            pair = self.folder / name / "pair.pem"
            done = subprocess.run(["curl", "-s", "--cacert", self.root, "--cert", pair, "-o",
                                   self.folder / "answer", self.leader.endpoint + "healthz"],
                                  timeout=20)
            self.assertEqual(done.returncode == 0, good, name)
        # Nor does a client's make a server.
        shown = subprocess.run(["openssl", "verify", "-purpose", "sslserver", "-CAfile", self.root,
                                "-untrusted", self.folder / "client" / "pair.pem",
                                self.folder / "client" / "pair.pem"], capture_output=True,
                               text=True)
        self.assertIn("purpose", shown.stderr)


if __name__ == "__main__":
    unittest.main()
