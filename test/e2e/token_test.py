#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`moiety ca` with its issuing key in a PKCS#11 token, SoftHSM's."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from ca_test import Authority
from pair import MOIETY, moiety

MODULE = next((path for path in ("/usr/lib/softhsm/libsofthsm2.so",
                                 "/usr/lib64/softhsm/libsofthsm2.so")
               if os.path.exists(path)), None)
SKIPPED = 77
PIN = "135790"


class Token:
    """A token in a folder of its own, with one P-256 key."""

    def __init__(self, folder):
        self.pin = folder / "pin"
        self.pin.write_text(PIN + "\n")
        (folder / "tokens").mkdir()
        config = folder / "softhsm2.conf"
        config.write_text(f"directories.tokendir = {folder}/tokens\n"
                          "objectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(config)
        self.run("softhsm2-util", "--init-token", "--free", "--label", "test", "--pin", PIN,
                 "--so-pin", "24680246")
        self.add(folder / "key.pem", "issuing", "01")

    @staticmethod
    def run(*words):
        subprocess.run(words, check=True, timeout=60, stdout=subprocess.DEVNULL)

    def add(self, file, label, number):
        self.run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-out", file)
        self.run("softhsm2-util", "--import", file, "--token", "test", "--label", label, "--id",
                 number, "--pin", PIN)
        os.unlink(file)

    @staticmethod
    def uri(label="issuing"):
        return f"pkcs11:token=test;object={label}?module-path={MODULE}"


class TokenTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="moiety-token-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.token = Token(self.folder)

    def authority(self):
        ca = Authority(arguments=["--pkcs11", self.token.uri(), "--pin-file", self.token.pin])
        self.addCleanup(ca.remove)
        return ca

    def test_issues_and_revokes(self):
        ca = self.authority()
        self.assertFalse((ca.folder / "issuing.key").exists())
        ca.start()
        load = ca.load(workers=2, count=20)
        serials = [line.rsplit("/", 1)[1] for line in load.communicate(timeout=60)[0].split()]
        self.assertEqual(len(serials), 20)
        ca.audit()
        moiety("ca", "revoke", "--config", ca.config, "--reason", "1", serials[0])
        self.check_crls(ca)
        self.assertEqual(ca.stop(), 0)

    def check_crls(self, ca):
        """Each shard has the issuer's signature, which the token made."""
        end = time.monotonic() + 30
        revoked = 0
        while revoked == 0 and time.monotonic() < end:
            time.sleep(0.2)
            revoked = sum(self.read_crl(ca, path) for path in self.crl_paths(ca))
        self.assertEqual(revoked, 1)

    @staticmethod
    def crl_paths(ca):
        [(issuer,)] = ca.rows("SELECT DISTINCT issuer FROM ca_crl")
        issuer = issuer if isinstance(issuer, str) else issuer.decode()
        return [f"/crl/{issuer}/{shard}.crl" for (shard,) in ca.rows("SELECT shard FROM ca_crl")]

    def read_crl(self, ca, path):
        (self.folder / "crl").write_bytes(ca.get(path))
        words = ["openssl", "crl", "-inform", "DER", "-in", self.folder / "crl", "-noout", "-text",
                 "-verify", "-CAfile", ca.folder / "issuing.pem"]
        done = subprocess.run(words, timeout=60, capture_output=True, text=True)
        self.assertIn("verify OK", done.stderr + done.stdout)
        return done.stdout.count("Serial Number:")

    def test_its_process_ends_and_so_does_the_server(self):
        """What a supervisor starts again is then whole."""
        ca = self.authority()
        ca.start()
        signer = children(ca.process.pid)[0]
        [holder] = children(signer)
        os.kill(holder, signal.SIGKILL)
        load = ca.load(workers=1, count=1)
        self.assertNotEqual(ca.process.wait(60), 0)
        load.terminate()
        load.communicate()
        ca.start()
        self.assertEqual(ca.stop(), 0)

    def test_what_is_wrong_is_said(self):
        bad = self.folder / "bad"
        bad.write_text("000000\n")
        self.token.add(self.folder / "twice.pem", "twice", "02")
        self.token.add(self.folder / "twice.pem", "twice", "03")
        for uri, pin, said in (
                (self.token.uri(), bad, "PIN is incorrect"),
                (self.token.uri("none"), self.token.pin, "no such key"),
                (self.token.uri("twice"), self.token.pin, "several keys"),
                (self.token.uri().replace("token=test", "token=other"), self.token.pin,
                 "no such token"),
                (self.token.uri() + "x", self.token.pin, "can't be loaded"),
                ("pkcs11:token=test", self.token.pin, "module-path"),
                (self.token.uri() + "&pin-value=" + PIN, self.token.pin, "belongs in a file")):
            with self.subTest(uri=uri):
                done = subprocess.run([MOIETY, "ca", "init", "--pkcs11", uri, "--pin-file", pin,
                                       self.folder / "ca"], timeout=60, capture_output=True,
                                      text=True)
                self.assertEqual(done.returncode, 1)
                self.assertIn(said, done.stderr)
                self.assertNotIn(PIN, done.stderr)
                self.assertFalse((self.folder / "ca").exists())

    def test_another_certificates_key_is_refused(self):
        ca = self.authority()
        self.token.add(self.folder / "other.pem", "other", "04")
        ca.config.write_text(ca.config.read_text().replace("object=issuing", "object=other"))
        with self.assertRaisesRegex(AssertionError, "another certificate's"):
            ca.start()


def children(process):
    text = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(word) for word in text.split()]


if __name__ == "__main__":
    if MODULE is None or shutil.which("softhsm2-util") is None:
        print("skipped: there is no SoftHSM")
        raise SystemExit(SKIPPED)
    with tempfile.TemporaryDirectory() as unused:
        if "no PKCS#11" in moiety("ca", "init", "--pkcs11", "pkcs11:", unused, expect=1):
            print("skipped: built without PKCS#11")
            raise SystemExit(SKIPPED)
    unittest.main()
