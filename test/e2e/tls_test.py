# SPDX-License-Identifier: Apache-2.0
"""TLS on both servers, certificates instead of tokens, and their replacement."""
import http.client
import signal
import ssl
import subprocess
import time
import unittest

from pair import PairTest, moiety


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Tls(PairTest):
    def setUp(self):
        super().setUp()
        self.ca = self.folder / "ca.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", 2, "-subj", "/CN=test CA", "-keyout", self.folder / "ca.key", "-out",
                self.ca)
        for name, san in (("server", "IP:127.0.0.1"), ("next", "IP:127.0.0.1"),
                          ("leader-client", "DNS:leader.test"), ("collector", "DNS:collector.test"),
                          ("stranger", "DNS:stranger.test")):
            self.make_certificate(name, san)

    def make_server(self, name, **options):
        listener = ("    tls:\n      certificate: ../server.pem\n      key: ../server.key\n"
                    "      client_ca: ../ca.pem\n      client_certificate: optional\n")
        extra = self.EXTRA + ("peers:\n  ca: ../ca.pem\n  certificate: ../leader-client.pem\n"
                              "  key: ../leader-client.key\n")
        return super().make_server(name, listener=listener, extra=extra)

    def make_certificate(self, name, san):
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                f"/CN={name}", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / "ca.key",
                "-days", 1, "-extfile", extensions, "-out", self.folder / f"{name}.pem")

    def client_options(self, name=None):
        options = ["--ca", self.ca]
        if name is not None:
            options += ["--certificate", self.folder / f"{name}.pem", "--key",
                        self.folder / f"{name}.key"]
        return options

    def drop_tokens(self, server):
        """Takes the tokens away, so that certificates alone are left."""
        for line in moiety("peer", "list", "--config", server.config).splitlines()[1:]:
            moiety("peer", "set", "--config", server.config, "--no-token", line.split()[0])

    def make_tls_task(self):
        moiety("task", "new", "t", "--out", self.folder, "--leader", self.leader.url, "--helper",
               self.helper.url, "--vdaf", "count", "--min-batch-size", 10, "--allow-small-batches")
        moiety("task", "import", "--config", self.leader.config, "--allow-small-batches",
               "--collector-certificate", "DNS:collector.test", self.file("t", "leader"))
        moiety("task", "import", "--config", self.helper.config, "--allow-small-batches",
               "--peer-certificate", "DNS:leader.test", self.file("t", "helper"))

    def test_certificates_instead_of_tokens(self):
        self.start()
        self.make_tls_task()
        self.drop_tokens(self.leader)
        self.drop_tokens(self.helper)
        self.upload("t", [1] * 15, *self.client_options())
        for wrong in (self.client_options(), self.client_options("stranger")):
            output = moiety("collect", "--task", self.file("t", "collector"), "--last", "2h",
                            *wrong, expect=1)
            self.assertIn("401", output)
        results = self.collect("t", "--last", "2h", *self.client_options("collector"))
        self.assertEqual(results[0]["values"], [15])

    def test_nothing_without_trust(self):
        self.start()
        self.make_tls_task()
        output = self.upload("t", [1], "--patience", "5s", expect=1)
        self.assertIn("certificate", output)
        output = moiety("doctor", *self.client_options(), self.file("t", "leader"))
        self.assertIn("0 bad", output)
        output = moiety("doctor", self.file("t", "leader"), expect=1)
        self.assertIn("TLS certificate isn't one we trust", output)

    def served(self, context):
        """The certificate that a new connection to the leader gets."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.leader.port, context=context)
        connection.connect()
        self.addCleanup(connection.close)
        return connection, connection.sock.getpeercert(binary_form=True)

    def ask(self, connection):
        connection.request("GET", "/hpke_config")
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def test_reload_drops_no_connection(self):
        self.start()
        context = ssl.create_default_context(cafile=str(self.ca))
        before, old = self.served(context)
        self.assertEqual(self.ask(before), 200)
        for suffix in ("pem", "key"):
            (self.folder / f"next.{suffix}").replace(self.folder / f"server.{suffix}")
        self.leader.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 20
        new = old
        while new == old and time.monotonic() < end:
            time.sleep(0.1)
            _, new = self.served(context)
        self.assertNotEqual(new, old)
        self.assertEqual(self.ask(before), 200, "the old connection goes on")

        (self.folder / "server.key").write_text("nonsense\n")
        self.leader.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        after, still = self.served(context)
        self.assertEqual(still, new, "files that can't be used change nothing")
        self.assertEqual(self.ask(after), 200)


if __name__ == "__main__":
    unittest.main()
