#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replicas that share nothing but a database share its certificate too: one of them
renews, whichever the CA asks answers, and a kill in between leaves the work to another."""
import base64
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from database import Postgres
from pair import MOIETY, START_S, Server, ServerTest, free_ports, get, moiety

HOST = "127.0.0.1"
RENEWED_S = 60
LEASE_S = 3


class Door:
    """Stands where the CA looks, and leads to one replica; when it is shut, whoever
    comes waits in front of it."""

    def __init__(self, port):
        self.behind = None  # a port
        self.opened = threading.Event()
        self.knocked = threading.Event()
        self.listener = socket.create_server((HOST, port))
        threading.Thread(target=self.run, daemon=True).start()

    def shut(self):
        self.opened.clear()
        self.knocked.clear()

    def open(self, port):
        self.behind = port
        self.opened.set()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.knocked.set()
            threading.Thread(target=self.lead, args=(client,), daemon=True).start()

    def lead(self, client):
        self.opened.wait(START_S)
        with client, socket.create_connection((HOST, self.behind), 10) as server:
            back = threading.Thread(target=self.copy, args=(server, client))
            back.start()
            self.copy(client, server)
            back.join()

    @staticmethod
    def copy(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # who asked sees it

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Replicas(ServerTest):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="moiety-e2e-")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.root = self.folder / "ca" / "root.pem"
        self.postgres = Postgres("replicas")
        self.addCleanup(self.postgres.stop)
        self.ca_port, door = free_ports(2)
        self.door = Door(door)
        self.addCleanup(self.door.close)
        self.start_authority(door)
        self.key = os.urandom(32).hex()

    # ---- The authority ----

    def start_authority(self, door):
        folder = self.folder / "ca"
        self.ca_config = folder / "ca.yaml"
        moiety("ca", "init", folder, "--listen", f"{HOST}:{self.ca_port}")
        with open(self.ca_config, "a") as config:
            config.write(f"validation: {{tls_port: {door}, http_port: {door}, timeout: 60s}}\n"
                         "allow: {domains: [localhost], networks: [127.0.0.0/8]}\n"
                         "lifetime: {authorization: 0}\n")
        with open(folder / "log", "ab") as log:
            process = subprocess.Popen([MOIETY, "ca", "serve", "--config", self.ca_config],
                                       stderr=log)
        self.addCleanup(process.wait, 60)
        self.addCleanup(process.terminate)
        self.directory = f"https://localhost:{self.ca_port}/directory"
        trust = ssl.create_default_context(cafile=self.root)
        end = time.monotonic() + START_S
        while get(self.directory, context=trust)[0] != 200:
            self.assertLess(time.monotonic(), end, (folder / "log").read_text())
            time.sleep(0.05)

    def listed(self):
        """The replicas' certificates as {serial number: its name at the CA}, oldest first."""
        lines = [line.split() for line in
                 moiety("ca", "list", "--config", self.ca_config).splitlines()]
        return {base64.urlsafe_b64decode(words[1] + "=").hex(): words[1]
                for words in lines if words[5] == HOST}

    # ---- The replicas ----

    def make(self, name, challenge):
        server = Server(self.folder / name, listener="    tls: acme\n",
                        database=self.postgres.url("replicas"), key=self.key)
        (http,) = free_ports(1)
        server.behind_door = http if challenge == "http-01" else server.port
        server.configure(
            f"aggregator: {{lease: {LEASE_S}s}}\n"
            f"acme:\n  names: [{HOST}]\n  keep: database\n  folder: copy\n"
            f"  directory: {self.directory}\n  ca: ../ca/root.pem\n  profile: aggregator\n"
            f"  eab_key: ../ca/aggregator.eab\n  challenge: {challenge}\n"
            f"  http: {HOST}:{http}\n")
        self.addCleanup(self.end_server, server)
        return server

    def start_during_renewal(self, first, *others):
        """The first alone begins, and the CA waits at the door until the others are there."""
        first.start()
        self.assertTrue(self.door.knocked.wait(START_S), first.logged())
        for server in others:
            server.launch()
        for server in others:
            server.wait_ready()

    @staticmethod
    def renewals(*servers):
        return [server.metric("moiety_certificate_renewals_total") for server in servers]

    def serial(self, server):
        """Of the certificate that it serves; None if that isn't the CA's."""
        trust = ssl.create_default_context(cafile=self.root)
        trust.check_hostname = False
        try:
            with socket.create_connection((HOST, server.port), 10) as plain, \
                    trust.wrap_socket(plain) as connection:
                return connection.getpeercert()["serialNumber"].lower()
        except ssl.SSLError:
            return None

    def wait_all_serve(self, *servers, but=None):
        """Until all serve one certificate of the CA's, and another than `but`; which."""
        end = time.monotonic() + RENEWED_S
        while True:
            serials = {self.serial(server) for server in servers}
            if len(serials) == 1 and not serials & {None, but}:
                return serials.pop()
            self.assertLess(time.monotonic(), end, "".join(s.logged() for s in servers))
            time.sleep(0.2)

    # ---- Tests ----

    def test_one_renews_another_answers_and_all_serve(self):
        a, b, c = (self.make(name, "http-01") for name in "abc")
        self.start_during_renewal(a, b, c)
        self.door.open(b.behind_door)
        first = self.wait_all_serve(a, b, c)
        self.assertEqual(list(self.listed()), [first])
        self.assertEqual(self.renewals(a, b, c), [1, 0, 0])
        # The CA wants it replaced, which a replica that starts hears at once.
        moiety("ca", "revoke", "--config", self.ca_config, self.listed()[first])
        self.assertEqual(c.stop(), 0)
        self.door.open(a.behind_door)
        c.start()
        second = self.wait_all_serve(a, b, c, but=first)
        self.assertEqual(list(self.listed()), [first, second])
        self.assertEqual(self.renewals(a, b, c), [1, 0, 1])
        for server in (a, b, c):
            copy = (server.folder / "copy" / "pair.pem").read_text()
            self.assertIn("PRIVATE KEY", copy)
            self.assertEqual((server.folder / "copy" / "pair.pem").stat().st_mode & 0o777, 0o600)
        # In the database it is sealed, and no challenge is left there.
        self.assertEqual(self.postgres.ask(
            "SELECT COUNT(*), SUM(position('PRIVATE'::bytea IN content)),"
            " SUM(position('challenge' IN name)) FROM vault_item", "replicas"), "2|0|0")

    def test_a_killed_replicas_renewal_is_taken_over(self):
        a, b, c = (self.make(name, "tls-alpn-01") for name in "abc")
        self.start_during_renewal(a, b, c)
        a.kill()
        self.door.open(b.behind_door)
        serial = self.wait_all_serve(b, c)
        self.assertEqual(list(self.listed()), [serial])
        self.assertEqual(sorted(self.renewals(b, c)), [0, 1])
        a.start()  # finds what the others have
        self.assertEqual(self.wait_all_serve(a, b, c), serial)
        self.assertEqual(list(self.listed()), [serial])


if __name__ == "__main__":
    unittest.main()
