# SPDX-License-Identifier: Apache-2.0
"""The pair: each side its storage and one or many replicas of moietyd."""
import os
import pathlib
import re
import sys

import meter
import storage
from balancer import Balancer

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "test" / "e2e"))
from pair import Server, get, moiety  # noqa: E402

QUIET = "log:\n  level: warn\n"


class Side:
    """`address` is where the other side and clients find it."""

    def __init__(self, name, folder, store, replicas, settings=()):
        self.name = name
        self.storage = storage.make(store, folder / f"{name}-db", settings)
        key = os.urandom(32).hex()
        self.servers = [Server(folder / f"{name}{i}", extra=QUIET, key=key,
                               database=self.storage.database) for i in range(replicas)]
        self.balancer = Balancer([s.port for s in self.servers]) if replicas > 1 else None
        self.url = (f"http://127.0.0.1:{self.balancer.port}/" if self.balancer
                    else self.servers[0].url)

    def start(self, extra=""):
        for server in self.servers:
            server.configure(QUIET + extra)
            server.start()

    def restart(self, extra=""):
        self.end_servers()
        for server in self.servers:
            server.configure(QUIET + extra)
            server.launch()

    def wait_ready(self):
        for server in self.servers:
            server.wait_ready()

    def end_servers(self):
        for server in self.servers:
            if server.stop() not in (None, 0):
                raise AssertionError(f"{self.name} ends badly:\n{server.logged()}")

    def stop(self):
        for server in self.servers:
            if server.process is not None and server.process.poll() is None:
                server.kill()
        if self.balancer:
            self.balancer.stop()
        self.storage.stop()

    def pids(self):
        return [server.process.pid for server in self.servers if server.process.poll() is None]

    def aggregated(self):
        """Reports that the replicas have aggregated since they started."""
        total = 0
        for server in self.servers:
            for line in get(server.admin + "/metrics")[1].decode().splitlines():
                if re.match(r'moiety_aggregated_reports_total\{.*outcome="aggregated"', line):
                    total += int(float(line.rsplit(" ", 1)[1]))
        return total

    def cpu_s(self):
        """By process; a database's is that of all its backends."""
        spent = {self.name: sum(meter.cpu_s(pid) for pid in self.pids())}
        if self.storage.pid is not None:
            spent[f"{self.name}_database"] = meter.cpu_s(self.storage.pid)
        return spent

    def resident_kib(self):
        peak = {self.name: max(meter.resident_peak_kib(pid) for pid in self.pids())}
        if self.storage.pid is not None:
            peak[f"{self.name}_database"] = meter.resident_peak_kib(self.storage.pid)
        return peak


class Deployment:
    def __init__(self, folder, store, replicas=1, settings=()):
        self.folder = pathlib.Path(folder)
        self.sides = []
        try:
            for name in ("leader", "helper"):
                self.sides.append(Side(name, self.folder, store, replicas, settings))
        except BaseException:
            self.stop()
            raise
        self.leader, self.helper = self.sides

    def make_task(self, instance, max_job_size):
        moiety("task", "new", "bench", "--out", self.folder, "--leader", self.leader.url,
               "--helper", self.helper.url, "--min-batch-size", 100, "--max-job-size",
               max_job_size, *instance.options)
        for side in self.sides:
            moiety("task", "import", "--config", side.servers[0].config,
                   self.file(side.name))

    def file(self, party):
        return self.folder / f"bench.{party}.json"

    def stop(self):
        for side in self.sides:
            side.stop()
