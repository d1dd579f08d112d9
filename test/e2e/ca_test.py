#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`moiety ca` as a process: its commands, its own TLS, and kills during issuance."""
import base64
import os
import pathlib
import random
import signal
import sqlite3
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from pair import MOIETY, START_S, free_ports, moiety

LOAD = os.environ["ACME_LOAD"]


class Authority:
    """One CA in a folder of its own, which ends with it."""

    def __init__(self, plain=True, required="false", arguments=()):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name, "ca")
        self.port, self.answers = free_ports(2)
        self.url = f"{'http' if plain else 'https'}://localhost:{self.port}"
        self.config = self.folder / "ca.yaml"
        moiety("ca", "init", self.folder, "--listen", f"127.0.0.1:{self.port}", "--url", self.url,
               *arguments)
        text = self.config.read_text()
        if plain:
            listen = f'"127.0.0.1:{self.port}"'
            text = text.replace(listen, f"{listen}\n    plain_http: true")
        self.config.write_text(text + f"validation: {{http_port: {self.answers}}}\n"
                               f"external_account_required: {required}\n"
                               "lifetime: {authorization: 0}\n"
                               "limits: {account_burst: 0, name_burst: 0}\n")
        self.process = None

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([MOIETY, "ca", "serve", "--config", self.config],
                                            stderr=log)
        end = time.monotonic() + START_S
        while True:
            try:
                return self.get("/directory")
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError((self.folder / "log").read_text())
                time.sleep(0.05)

    def get(self, path):
        context = None
        if self.url.startswith("https"):
            context = ssl.create_default_context(cafile=self.folder / "root.pem")
        with urllib.request.urlopen(self.url + path, timeout=10, context=context) as answer:
            return answer.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.temporary.cleanup()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def load(self, workers, count):
        return subprocess.Popen(
            [LOAD, self.url, str(self.answers), str(workers), str(count)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def audit(self, expect=0):
        return moiety("ca", "audit", "--quiet", "--verifier", self.get("/log/key").decode(),
                      "--state", self.folder / "audit.state", self.url, expect=expect)

    def post(self, path, body):
        with urllib.request.urlopen(self.url + path, body, timeout=10) as answer:
            return answer.read()

    def leaf(self, url):
        """The file of a certificate (PEM)."""
        [(der,)] = self.rows("SELECT der FROM ca_certificate WHERE "
                             f"serial = X'{serial_of(url).hex()}'")
        file = self.folder / "leaf.pem"
        file.write_text(ssl.DER_cert_to_PEM_cert(der))
        return file

    def ocsp_url(self, url):
        return subprocess.run(["openssl", "x509", "-in", self.leaf(url), "-noout", "-ocsp_uri"],
                              timeout=60, capture_output=True, text=True, check=True).stdout.strip()

    def ocsp(self, url, *options, digest="-sha1"):
        """What OpenSSL says of a certificate, the answer's signature checked."""
        issuing = self.folder / "issuing.pem"
        done = subprocess.run(
            ["openssl", "ocsp", digest, "-issuer", issuing, "-cert", self.leaf(url), "-url",
             self.ocsp_url(url), "-CAfile", self.folder / "root.pem", "-verify_other", issuing,
             *options], timeout=60, capture_output=True, text=True)
        assert "Response verify OK" in done.stderr, done.stderr + done.stdout
        return done.stdout

    def rows(self, query):
        with sqlite3.connect(self.folder / "ca.db") as db:
            return db.execute(query).fetchall()


def serial_of(url):
    text = url.strip().rsplit("/", 1)[1]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class CaTest(unittest.TestCase):
    def authority(self, **options):
        ca = Authority(**options)
        self.addCleanup(ca.remove)
        return ca

    def test_ocsp(self):
        """As OpenSSL's client asks and checks it."""
        ca = self.authority()
        ca.config.write_text(ca.config.read_text() + "ocsp: true\n")
        ca.start()
        [first, second] = ca.load(workers=1, count=2).communicate(timeout=60)[0].split()
        self.assertIn("good", ca.ocsp(first))
        moiety("ca", "revoke", "--config", ca.config, "--reason", "4", second.rsplit("/", 1)[1])
        self.assertRegex(ca.ocsp(second), r"revoked\n.*\n.*\n\tReason: superseded")
        self.assertIn("good", ca.ocsp(first, "-no_nonce", digest="-sha256"))
        self.assertIn("0x1234: unknown", ca.ocsp(first, "-serial", "0x1234"))
        with self.assertRaises(urllib.error.HTTPError):
            ca.post("/ocsp/0000000000000000", b"")
        issuer = ca.ocsp_url(first).rsplit("/", 1)[1]
        malformed = b"\x30\x03\x0a\x01\x01"
        for request in (b"", b"x", b"\x30\x00", b"\x30\x82\xff\xff"):
            self.assertEqual(ca.post(f"/ocsp/{issuer}", request), malformed)

    def test_no_ocsp_unless_asked_for(self):
        ca = self.authority()
        ca.start()
        [url] = ca.load(workers=1, count=1).communicate(timeout=60)[0].split()
        self.assertEqual(ca.ocsp_url(url), "")
        [(issuer,)] = ca.rows("SELECT DISTINCT issuer FROM ca_certificate")
        with self.assertRaises(urllib.error.HTTPError):
            ca.post(f"/ocsp/{issuer}", b"")

    def test_kills_lose_nothing(self):
        """What was delivered is in the database and the log, once, whatever moment the
        server ended at."""
        ca = self.authority()
        ca.start()
        delivered = []
        for _ in range(4):
            load = ca.load(workers=16, count=2000)
            time.sleep(random.uniform(0.5, 2.0))
            ca.kill()
            load.terminate()
            delivered += [serial_of(line) for line in load.communicate()[0].splitlines()]
            ca.start()
            ca.audit()
        self.assertGreater(len(delivered), 0)
        self.assertEqual(len(delivered), len(set(delivered)), "a serial number came twice")
        stored = [row[0] for row in ca.rows("SELECT serial FROM ca_certificate ORDER BY number")]
        self.assertEqual(len(stored), len(set(stored)))
        self.assertLessEqual(set(delivered), set(stored), "a certificate was lost")
        numbers = [row[0] for row in ca.rows("SELECT number FROM ca_certificate ORDER BY number")]
        self.assertEqual(numbers, list(range(len(numbers))))
        self.assertIn(f"{len(numbers)} certificates", ca.audit())
        load = ca.load(workers=4, count=8)
        self.assertEqual(len(load.communicate()[0].splitlines()), 8)
        self.assertEqual(load.returncode, 0)
        self.assertEqual(ca.stop(), 0)

    def test_tls_with_its_own_certificate(self):
        ca = self.authority(plain=False)
        ca.start()
        self.assertIn(b"newOrder", ca.get("/directory"))
        self.assertRegex(moiety("ca", "list", "--config", ca.config), "  web  .*localhost")
        self.assertEqual(ca.stop(), 0)
        ca.start()
        self.assertEqual(len(ca.rows("SELECT 1 FROM ca_certificate")), 1, "it was still good")
        self.assertEqual(ca.stop(), 0)

    def test_init_allows_each_name_once(self):
        for server, allowed in (("ca.example", "domains: [example]\n"),
                                ("ca.test", "domains: [example, ca.test]\n"),
                                ("10.1.2.3", 'domains: [example]\n  networks: ["10.1.2.3"]\n')):
            ca = self.authority(arguments=("--allow", "example", "--server-name", server))
            self.assertIn(f"allow:\n  {allowed}", ca.config.read_text())

    def test_operator_revokes_and_the_crl_says_so(self):
        ca = self.authority()
        ca.start()
        load = ca.load(workers=1, count=1)
        url = load.communicate()[0].strip()
        serial = url.rsplit("/", 1)[1]
        moiety("ca", "revoke", "--config", ca.config, "--reason", "1", serial)
        self.assertIn("revoked", moiety("ca", "list", "--config", ca.config))
        moiety("ca", "revoke", "--config", ca.config, "--reason", "1", serial, expect=1)
        issuer, shard = ca.rows("SELECT issuer, shard FROM ca_certificate")[0]
        end = time.monotonic() + 30
        while serial_of(url) not in ca.get(f"/crl/{issuer}/{shard}.crl"):
            self.assertLess(time.monotonic(), end, "the CRL doesn't list it")
            time.sleep(0.2)
        crl = ca.folder / "shard.crl"
        crl.write_bytes(ca.get(f"/crl/{issuer}/{shard}.crl"))
        shown = subprocess.run(
            ["openssl", "crl", "-inform", "DER", "-in", crl, "-noout", "-text", "-CAfile",
             ca.folder / "issuing.pem"], capture_output=True, text=True, check=True)
        self.assertIn("verify OK", shown.stderr)
        self.assertIn("Key Compromise", shown.stdout)
        self.assertEqual(ca.stop(), 0)

    def test_our_own_client(self):
        """`moiety cert` with an external account key: issue, ask for the time, revoke."""
        ca = self.authority(required="true")
        ca.start()
        kid, key = [line.split()[1] for line in
                    (ca.folder / "web.eab").read_text().splitlines()[:2]]
        client = ca.folder / "client"
        client.mkdir()
        (client / "key").write_text(key)
        common = ["--directory", ca.url + "/directory", "--folder", client]
        proof = ["--http", f"127.0.0.1:{ca.answers}"]
        moiety("cert", "issue", *common, *proof, "localhost", expect=1)
        moiety("cert", "issue", *common, *proof, "--eab-kid", kid, "--eab-key", client / "key",
               "localhost", "127.0.0.1")
        shown = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-CAfile", ca.folder / "root.pem", "-untrusted",
             ca.folder / "issuing.pem", "-purpose", "sslserver", "-verify_hostname", "localhost",
             "-verify_ip", "127.0.0.1", client / "pair.pem"], capture_output=True, text=True)
        self.assertIn("OK", shown.stdout, shown.stderr)
        self.assertIn("not to be renewed before", moiety("cert", "renew", *common, *proof))
        moiety("cert", "revoke", *common)
        self.assertIn("revoked", moiety("ca", "list", "--config", ca.config))
        self.assertEqual(ca.stop(), 0)

    def test_audit_finds_a_changed_log(self):
        ca = self.authority()
        ca.start()
        ca.load(workers=2, count=5).communicate()
        ca.audit()
        ca.stop()
        with sqlite3.connect(ca.folder / "ca.db") as db:
            db.execute("UPDATE ca_certificate SET der = (SELECT der FROM ca_certificate"
                       " WHERE number = 1) WHERE number = 0")
        ca.start()
        (ca.folder / "audit.state").unlink()
        self.assertIn("changed", ca.audit(expect=1))
        ca.stop()

    def test_the_signer_s_end_is_the_server_s(self):
        ca = self.authority()
        ca.start()
        children = pathlib.Path(f"/proc/{ca.process.pid}/task/{ca.process.pid}/children")
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        self.assertEqual(ca.process.wait(30), 1)

    def test_external_account_keys(self):
        ca = self.authority()
        made = moiety("ca", "eab-add", "--config", ca.config, "--profiles", "web client")
        kid = made.split()[1]
        self.assertIn(f"{kid}  ", moiety("ca", "eab-list", "--config", ca.config))
        moiety("ca", "eab-add", "--config", ca.config, "--profiles", "nobody", expect=1)
        moiety("ca", "eab-rm", "--config", ca.config, kid)
        self.assertNotIn(kid, moiety("ca", "eab-list", "--config", ca.config))


if __name__ == "__main__":
    unittest.main()
