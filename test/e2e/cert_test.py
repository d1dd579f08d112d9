# SPDX-License-Identifier: Apache-2.0
"""Certificates by ACME from Pebble, Let's Encrypt's test server, which is as strict
as it can be and refuses most nonces."""
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

from pair import Server, free_ports, get, moiety

HOST = "127.0.0.1"  # an identifier that needs no DNS (RFC 8738)


class Pebble:
    def __init__(self, folder, lifetime=0):
        self.folder = folder
        self.ca = folder / "pebble.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=pebble",
                        "-addext", f"subjectAltName=IP:{HOST}", "-keyout", folder / "pebble.key",
                        "-out", self.ca], check=True, capture_output=True)
        port, self.management, self.http, self.tls = free_ports(4)
        self.directory = f"https://{HOST}:{port}/dir"
        config = {"listenAddress": f"{HOST}:{port}",
                  "managementListenAddress": f"{HOST}:{self.management}",
                  "certificate": str(self.ca), "privateKey": str(folder / "pebble.key"),
                  "httpPort": self.http, "tlsPort": self.tls, "ocspResponderURL": "",
                  "externalAccountBindingRequired": False}
        if lifetime:
            config["certificateValidityPeriod"] = lifetime
        (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
        with open(folder / "pebble.log", "wb") as log:
            self.process = subprocess.Popen(
                ["pebble", "-strict", "-config", folder / "pebble.json"], stdout=log, stderr=log,
                env={**os.environ, "PEBBLE_WFE_NONCEREJECT": "90", "PEBBLE_VA_NOSLEEP": "1",
                     "PEBBLE_AUTHZREUSE": "0"})
        self.trust = ssl.create_default_context(cafile=self.ca)
        end = time.monotonic() + 30
        while get(self.directory, context=self.trust)[0] != 200:
            if time.monotonic() > end:
                raise AssertionError((folder / "pebble.log").read_text())
            time.sleep(0.05)

    def root(self):
        """What its certificates chain to."""
        return get(f"https://{HOST}:{self.management}/roots/0", context=self.trust)[1].decode()

    def stop(self):
        self.process.kill()
        self.process.wait()


@unittest.skipUnless(shutil.which("pebble"), "needs Debian's package pebble")
class Cert(unittest.TestCase):
    LIFETIME = 0

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="moiety-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.pebble = Pebble(self.folder, self.LIFETIME)
        self.addCleanup(self.pebble.stop)


class Command(Cert):
    def cert(self, *arguments, expect=0):
        return moiety("cert", *arguments, "--directory", self.pebble.directory, "--ca",
                      self.pebble.ca, "--folder", self.folder, expect=expect)

    def listeners(self):
        return ["--http", f"{HOST}:{self.pebble.http}", "--tls", f"{HOST}:{self.pebble.tls}"]

    def issue(self, *arguments, expect=0):
        return self.cert("issue", *self.listeners(), *arguments, expect=expect)

    def serial(self):
        return subprocess.run(["openssl", "x509", "-noout", "-serial", "-in",
                               self.folder / "pair.pem"], check=True, capture_output=True).stdout

    def test_issue_renew_revoke(self):
        self.issue(HOST)
        pair = self.folder / "pair.pem"
        self.assertEqual(pair.stat().st_mode & 0o777, 0o600)
        ssl.create_default_context().load_cert_chain(pair, pair)
        first = self.serial()
        self.assertIn("not to be renewed before", self.cert("renew", *self.listeners()))
        self.assertEqual(self.serial(), first)
        self.cert("renew", "--force", *self.listeners())
        second = self.serial()
        self.assertNotEqual(second, first)
        self.assertIn("revoked", self.cert("revoke", "--reason", "superseded"))
        self.assertIn("alreadyRevoked", self.cert("revoke", expect=1))
        self.issue("--challenge", "tls-alpn-01", "--key", "p384", HOST)
        self.assertNotEqual(self.serial(), second)
        self.cert("revoke", "--by-key", "--reason", "keyCompromise")

    def test_a_failure_leaves_the_old_pair(self):
        self.issue(HOST)
        before = (self.folder / "pair.pem").read_bytes()
        # Nobody listens where the server looks.
        (other,) = free_ports(1)
        said = self.cert("issue", "--http", f"{HOST}:{other}", HOST, expect=1)
        self.assertIn("connection", said)
        self.assertEqual((self.folder / "pair.pem").read_bytes(), before)
        self.assertEqual([p.name for p in self.folder.glob("*.new")], [])

    def test_account(self):
        self.cert("account", "register", "--contact", "mailto:a@example.org")
        self.assertIn("mailto:a@example.org", self.cert("account", "show"))
        self.assertIn("mailto:b@example.org",
                      self.cert("account", "update", "--contact", "mailto:b@example.org"))
        (file,) = self.folder.glob("account-*.pem")
        before = file.read_text()
        self.cert("account", "change-key")
        self.assertNotEqual(file.read_text(), before)
        self.assertIn("mailto:b@example.org", self.cert("account", "show"))
        self.assertEqual([p.name for p in self.folder.glob("*.next")], [])
        self.cert("account", "deactivate")
        self.assertIn("unauthorized", self.cert("account", "show", expect=1))

    def test_a_key_change_that_was_broken_off_is_finished(self):
        self.cert("account", "register")
        (file,) = self.folder.glob("account-*.pem")
        before = file.read_bytes()
        self.cert("account", "change-key")
        # As if the crash had come after the server's answer.
        file.rename(str(file) + ".next")
        file.write_bytes(before)
        self.assertIn('"valid"', self.cert("account", "show"))
        self.assertFalse(pathlib.Path(str(file) + ".next").exists())
        self.assertNotEqual(file.read_bytes(), before)


class Daemon(Cert):
    LIFETIME = 14  # seconds

    def setUp(self):
        super().setUp()
        self.server = self.make_server("server")
        self.server.common = self.server.common.replace(f"{HOST}:{self.server.port}",
                                                        f"{HOST}:{self.pebble.tls}")
        self.configure(self.server)

    def make_server(self, name):
        server = Server(self.folder / name, listener="    tls: acme\n")
        self.configure(server)
        self.addCleanup(server.stop)
        return server

    def configure(self, server):
        server.configure(f"acme:\n  names: [{HOST}]\n  folder: ../acme\n"
                         f"  directory: {self.pebble.directory}\n  ca: ../pebble.pem\n")

    def handshakes(self, trust, until, failures):
        while time.monotonic() < until:
            try:
                connection = http.client.HTTPSConnection(HOST, self.pebble.tls, timeout=20,
                                                         context=trust)
                connection.request("GET", "/healthz")
                assert connection.getresponse().status == 200
                connection.close()
            except (OSError, AssertionError, http.client.HTTPException) as error:
                failures.append(repr(error))

    def test_renews_and_serves_on(self):
        self.server.start()
        end = time.monotonic() + 60
        while self.server.metric("moiety_certificate_renewals_total") < 1:
            self.assertLess(time.monotonic(), end, self.server.logged())
            time.sleep(0.1)
        trust = ssl.create_default_context(cadata=self.pebble.root())
        failures = []
        until = time.monotonic() + 1.8 * self.LIFETIME
        threads = [threading.Thread(target=self.handshakes, args=(trust, until, failures))
                   for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Each of them was verified, so none was served an expired certificate.
        self.assertEqual(failures, [], self.server.logged())
        self.assertGreaterEqual(self.server.metric("moiety_certificate_renewals_total"), 3)
        self.assertGreater(self.server.metric("moiety_certificate_days_left"), 0)
        self.assertEqual(self.server.stop(), 0)

    def serial_at(self, port):
        done = subprocess.run(["openssl", "s_client", "-connect", f"{HOST}:{port}"],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        return subprocess.run(["openssl", "x509", "-noout", "-serial"], input=done.stdout,
                              check=True, capture_output=True).stdout

    def test_replicas_share_a_folder(self):
        replica = self.make_server("replica")
        self.server.launch()
        replica.start()
        self.server.wait_ready()
        end = time.monotonic() + 2.2 * self.LIFETIME
        seen = set()
        while time.monotonic() < end:
            serial = self.serial_at(replica.port)
            if serial == self.serial_at(self.pebble.tls):
                seen.add(serial)
            time.sleep(0.5)
        # Both serve each certificate: the placeholder, perhaps, and renewed ones.
        self.assertGreaterEqual(len(seen), 3, self.server.logged() + replica.logged())
        # What was issued just now is counted a little later.
        end = time.monotonic() + 20
        while True:
            issued = (self.folder / "pebble.log").read_text().count("Issued certificate serial")
            renewals = sum(server.metric("moiety_certificate_renewals_total")
                           for server in (self.server, replica))
            if renewals == issued or time.monotonic() > end:
                break
            time.sleep(0.2)
        self.assertEqual(renewals, issued)
        self.assertLess(renewals, 8)  # as many as one would have needed

    def test_serves_the_old_one_while_the_ca_is_away(self):
        self.server.start()
        end = time.monotonic() + 60
        while self.server.metric("moiety_certificate_renewals_total") < 1:
            self.assertLess(time.monotonic(), end, self.server.logged())
            time.sleep(0.1)
        self.pebble.stop()
        end = time.monotonic() + 60
        while self.server.metric("moiety_certificate_failing") < 2:
            self.assertLess(time.monotonic(), end, self.server.logged())
            time.sleep(0.1)
        any_certificate = ssl._create_unverified_context()
        self.assertEqual(get(f"https://{HOST}:{self.pebble.tls}/healthz",
                             context=any_certificate)[0], 200)
        # A restart finds the pair that it left.
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(get(f"https://{HOST}:{self.pebble.tls}/healthz",
                             context=any_certificate)[0], 200)


if __name__ == "__main__":
    unittest.main()
