#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A pair on PostgreSQL that Patroni keeps: machines of the database die while
reports come in, another one takes over, and the result is exact.

    apt-get install patroni etcd-server
    MOIETY=.. MOIETYD=.. E2E_WORLD=.. test/e2e/failover.py --faults 20 --reports 20000

Two machines, each with a Patroni and a PostgreSQL, and one etcd, all processes on
loopback. docs/operating.md says what such a cluster needs to be like.
"""
import argparse
import json
import os
import pathlib
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from chaos import Chaos
from pair import free_ports, get

# A standby has what was acknowledged, and no other standby may take over.
CONFIG = """
scope: moiety
name: {name}
restapi: {{listen: "127.0.0.1:{rest}", connect_address: "127.0.0.1:{rest}"}}
etcd3: {{host: "127.0.0.1:{etcd}"}}
bootstrap:
  dcs:
    ttl: 10
    loop_wait: 1
    retry_timeout: 3
    synchronous_mode: true
    postgresql:
      use_pg_rewind: true
      parameters: {{max_connections: 200, wal_log_hints: "on", fsync: "off"}}
  initdb: [{{encoding: UTF8}}, {{locale: C}}]
postgresql:
  listen: "127.0.0.1:{port}"
  connect_address: "127.0.0.1:{port}"
  data_dir: {folder}/{name}
  bin_dir: {bin}
  pgpass: {folder}/{name}.pass
  authentication:
    superuser: {{username: moiety}}
    replication: {{username: replicator}}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 trust",
           "host replication all 127.0.0.1/32 trust"]
  parameters: {{unix_socket_directories: ""}}
"""
WAIT_S = 120


def wait_until(true, what):
    end = time.monotonic() + WAIT_S
    while not true():
        if time.monotonic() > end:
            raise AssertionError(what)
        time.sleep(0.2)


class Machine:
    """One Patroni and its PostgreSQL."""

    def __init__(self, folder, name, etcd, user):
        self.folder, self.name, self.user = folder, name, user
        self.port, self.rest = free_ports(2)
        self.process = None
        self.config = folder / f"{name}.yaml"
        tools = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self.config.write_text(CONFIG.format(name=name, rest=self.rest, etcd=etcd, port=self.port,
                                             folder=folder, bin=tools))

    def start(self):
        with open(self.folder / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("patroni"), self.config], stdout=log, stderr=log,
                cwd=self.folder, user=self.user, group=self.user, extra_groups=[])

    def is_primary(self):
        return get(f"http://127.0.0.1:{self.rest}/primary")[0] == 200

    def is_synchronous(self):
        return get(f"http://127.0.0.1:{self.rest}/synchronous")[0] == 200

    def die(self):
        """All of it at once."""
        postmaster = self.folder / self.name / "postmaster.pid"
        self.process.kill()
        self.process.wait()
        if postmaster.exists():
            try:
                os.kill(int(postmaster.read_text().split()[0]), signal.SIGKILL)
            except OSError:
                pass


class Cluster:
    """As database.Postgres, where that is asked for."""

    def __init__(self, *databases):
        self.user = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="moiety-ha-"))
        if os.getuid() == 0:
            shutil.chown(self.folder, self.user)
        client, peer = (f"http://127.0.0.1:{port}" for port in free_ports(2))
        with open(self.folder / "etcd.log", "wb") as log:
            self.etcd = subprocess.Popen(
                [shutil.which("etcd"), "--data-dir", self.folder / "etcd", "--listen-client-urls",
                 client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"],
                stdout=log, stderr=log)
        etcd = client.rsplit(":", 1)[1]
        wait_until(lambda: get(client + "/health")[0] == 200, "etcd does not start")
        self.machines = [Machine(self.folder, f"m{i}", etcd, self.user) for i in range(2)]
        for machine in self.machines:
            machine.start()
        self.wait_safe()
        for name in databases:
            self.ask(f"CREATE DATABASE {name}")

    def primary(self):
        return next((machine for machine in self.machines if machine.is_primary()), None)

    def wait_safe(self):
        """Until one leads and the other has all that it acknowledges."""
        def safe():
            primary = self.primary()
            return primary is not None and any(
                machine.is_synchronous() for machine in self.machines if machine is not primary)
        wait_until(safe, "no primary with a synchronous standby")

    def url(self, database):
        ports = ",".join(str(machine.port) for machine in self.machines)
        return (f"postgresql://moiety@127.0.0.1,127.0.0.1/{database}?port={ports}"
                "&target_session_attrs=read-write&connect_timeout=3")

    def ask(self, query, database="postgres"):
        return subprocess.run(["psql", "-XAtq", self.url(database), "-c", query], check=True,
                              text=True, stdout=subprocess.PIPE).stdout.strip()

    def logged(self):
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("m*.log"))

    def stop(self):
        for machine in self.machines:
            if machine.process.poll() is None:
                machine.die()
        self.etcd.kill()
        self.etcd.wait()
        time.sleep(1)
        shutil.rmtree(self.folder, ignore_errors=True)


class Failover(Chaos):
    make_database = staticmethod(Cluster)

    def kinds(self):
        return {self.kill_machine: 1, self.kill_replica: 3, self.harm_helper: 2}

    def kill_machine(self):
        """The database's; it is back when another has taken over for it."""
        primary = self.database.primary()
        primary.die()
        began = time.monotonic()
        wait_until(lambda: self.database.primary() not in (None, primary), "nobody takes over")
        print(f"taken over after {time.monotonic() - began:.1f} s", flush=True)
        primary.start()
        self.database.wait_safe()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--reports", type=int, default=20000)
    parser.add_argument("--pause", type=float, default=1, help="seconds between faults")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    with tempfile.TemporaryDirectory(prefix="moiety-failover-") as folder:
        run = Failover(folder, leaders=2, helpers=2, seed=options.seed)
        complaints = ["the run did not end"]
        try:
            lost, doubled = run.run(options.reports, options.faults, options.pause)
        except AssertionError:
            print(run.database.logged(), file=sys.stderr)
            raise
        finally:
            complaints = run.stop()
            print(json.dumps(run.log))
    print(f"{options.reports} reports, {lost} lost, {doubled} counted twice")
    print(*complaints, sep="\n")
    return 1 if lost or doubled or complaints else 0


if __name__ == "__main__":
    sys.exit(main())
