#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several replicas a side on PostgreSQL while things go wrong at random: the
result is exact nonetheless.

    MOIETY=.. MOIETYD=.. E2E_WORLD=.. test/e2e/chaos.py --faults 100 --reports 50000

Every report is a bucket of a histogram, and how many went into each is known.
A report that is lost leaves its bucket one short, one that counts twice makes
it one too many, and the two can't make up for each other unless they meet in
one of the buckets.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

from database import Postgres
from pair import MOIETY, MOIETYD, Server, moiety
import proxy
from world import World

EXTRA = "aggregator:\n  job_poll: 50ms\n  lease: {}s\nlog:\n  level: warn\n"
BUCKETS = 500
# The programs of the next release: see next/CMakeLists.txt.
MOIETY_NEXT, MOIETYD_NEXT = (os.environ.get(f"{name}_NEXT") for name in ("MOIETY", "MOIETYD"))


class Chaos:
    make_database = Postgres

    def __init__(self, folder, leaders, helpers, seed, lease_s=3, skew_s=60):
        self.lease_s = lease_s
        self.skew_s = skew_s
        self.folder = pathlib.Path(folder)
        self.random = random.Random(seed)
        self.faults = 0
        self.log = collections.Counter()  # of what happened, by name
        self.programs = [MOIETYD]  # one of which each replica that is started runs
        self.database = self.make_database("leader", "helper")
        self.sides = {"leader": self.make_side("leader", leaders),
                      "helper": self.make_side("helper", helpers)}
        self.fronts = {name: proxy.Proxy(seed) for name in self.sides}
        for name, servers in self.sides.items():
            servers[0].start()  # makes the tables and the first key
            for server in servers[1:]:
                server.start()
            self.fronts[name].ports = [server.port for server in servers]

    def make_side(self, name, count):
        key = os.urandom(32).hex()
        return [Server(self.folder / f"{name}{i}", extra=EXTRA.format(self.lease_s), key=key,
                       database=self.database.url(name),
                       world=World(self.folder / f"{name}{i}.world"))
                for i in range(count)]

    def servers(self):
        return [server for servers in self.sides.values() for server in servers]

    def make_task(self):
        urls = {name: f"http://127.0.0.1:{front.port}/" for name, front in self.fronts.items()}
        moiety("task", "new", "c", "--out", self.folder, "--leader", urls["leader"], "--helper",
               urls["helper"], "--min-batch-size", 10, "--allow-small-batches", "--vdaf",
               "histogram", "--length", BUCKETS, "--max-job-size", 200)
        for name, servers in self.sides.items():
            moiety("task", "import", "--config", servers[0].config, "--allow-small-batches",
                   self.folder / f"c.{name}.json")

    # ---- Faults ----

    def kill_replica(self):
        self.replace(self.random.choice(self.servers()), self.random.choice(self.programs))

    def replace(self, server, program):
        server.kill()
        server.program = program
        self.log["next_release"] += program == MOIETYD_NEXT
        server.launch()

    def stop_replica(self):
        """It stands still for longer than its lease, then goes on as if nothing
        had happened."""
        server = self.random.choice(self.servers())
        process = server.process
        process.send_signal(signal.SIGSTOP)
        threading.Timer(self.random.uniform(1, 2) * self.lease_s, process.send_signal,
                        [signal.SIGCONT]).start()

    def kill_database(self):
        self.database.kill()
        time.sleep(self.random.uniform(0, 1))
        self.database.restart()

    def fill_disk(self):
        """PostgreSQL's: what it holds can change, but not grow. Where that hits
        its log of what it does, it dies of it, and can't start again before there
        is room."""
        self.database.world.set_full(True)
        time.sleep(self.random.uniform(1, 4))
        self.database.world.set_full(False)
        if not self.database.runs():
            self.log["database_died"] += 1
            self.database.restart()

    def skew_clock(self):
        """A replica's clock is wrong from now on, in either direction; or right
        again, all at once."""
        server = self.random.choice(self.servers())
        server.world.set_clock(self.random.choice([-self.skew_s, 0, self.skew_s]))

    def harm_helper(self):
        kinds = [proxy.BUSY, proxy.GARBAGE, proxy.NONSENSE, proxy.LATE, proxy.LOST, proxy.CUT]
        self.fronts["helper"].harm += [self.random.choice(kinds)
                                       for _ in range(self.random.randint(1, 4))]

    def harm_uploads(self):
        kinds = [proxy.BUSY, proxy.LATE, proxy.LOST, proxy.CUT]
        self.fronts["leader"].harm += [self.random.choice(kinds)
                                       for _ in range(self.random.randint(1, 4))]

    def kinds(self):
        """How often each fault comes, beside the others."""
        return {self.kill_replica: 8, self.stop_replica: 4, self.kill_database: 1,
                self.fill_disk: 2, self.skew_clock: 3, self.harm_helper: 4, self.harm_uploads: 4}

    def fault(self):
        kinds = self.kinds()
        kind = self.random.choices(list(kinds), kinds.values())[0]
        kind()
        self.faults += 1
        self.log[kind.__name__] += 1

    # ---- The run ----

    def upgrade(self):
        """The next release migrates both databases while this one goes on, and one
        replica a side is replaced; from now on they start as either."""
        for servers in self.sides.values():
            moiety("db", "migrate", "--config", servers[0].config, program=MOIETY_NEXT)
            self.replace(servers[0], MOIETYD_NEXT)
            self.replace(servers[1], MOIETYD)
        self.programs.append(MOIETYD_NEXT)

    def popen(self, name, *arguments, **options):
        with open(self.folder / f"{name}.log", "wb") as log:
            return subprocess.Popen([MOIETY, *map(str, arguments)], stderr=log, **options)

    def upload(self, buckets, faults, pause_s, upgrade):
        """The uploader's lines come piece by piece, with a fault after each; the
        upgrade, if there is one, a third on."""
        uploader = self.popen("upload", "upload", "--task", self.folder / "c.client.json",
                              "--batch", 100, "--parallel", 4, "--patience", "10m",
                              stdin=subprocess.PIPE)
        for i in range(faults):
            piece = buckets[i * len(buckets) // faults:(i + 1) * len(buckets) // faults]
            uploader.stdin.write("".join(f"{b}\n" for b in piece).encode())
            uploader.stdin.flush()
            time.sleep(self.random.uniform(0.2, 1.8) * pause_s)
            self.fault()
            if upgrade and i == faults // 3:
                self.upgrade()
        uploader.stdin.close()
        if uploader.wait(timeout=900) != 0:
            raise AssertionError((self.folder / "upload.log").read_text())

    def collect(self, faults, pause_s):
        with open(self.folder / "collect.out", "wb") as out:
            collector = self.popen("collect", "collect", "--task",
                                   self.folder / "c.collector.json", "--last", "5h", "--format",
                                   "json", "--wait", "15m", stdout=out)
            for _ in range(faults):
                if collector.poll() is None:
                    time.sleep(self.random.uniform(0.2, 1.8) * pause_s)
                    self.fault()
            if collector.wait(timeout=1000) != 0:
                raise AssertionError((self.folder / "collect.log").read_text())
        return json.loads((self.folder / "collect.out").read_text())

    def run(self, reports, faults, pause_s, upgrade=False):
        """(lost, doubled): how many reports, summed over the buckets."""
        self.make_task()
        buckets = [self.random.randrange(BUCKETS) for _ in range(reports)]
        self.upload(buckets, faults * 3 // 4, pause_s, upgrade)
        result = self.collect(faults - faults * 3 // 4, pause_s)
        sent = collections.Counter(buckets)
        off = [int(value) - sent[i] for i, value in enumerate(result["values"])]
        if int(result["report_count"]) != sum(int(value) for value in result["values"]):
            raise AssertionError("the count is not that of the reports summed")
        return -sum(d for d in off if d < 0), sum(d for d in off if d > 0)

    def stop(self):
        """Returns what the servers had to say that must not be."""
        complaints = []
        for server in self.servers():
            if server.process is not None and server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
                server.kill()
            else:
                complaints.append(f"{server.folder.name} ended by itself")
                complaints += server.logged().splitlines()[-3:]
            complaints += [line for line in server.logged().splitlines()
                           if "Sanitizer" in line or "runtime error" in line]
        for front in self.fronts.values():
            front.stop()
        self.log["refused_room"] = self.database.logged().count("No space left")
        self.database.stop()
        return complaints


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--leaders", type=int, default=4)
    parser.add_argument("--helpers", type=int, default=2)
    parser.add_argument("--reports", type=int, default=50000)
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--lease", type=int, default=3, help="seconds; moietyd's default is 60")
    parser.add_argument("--skew", type=int, default=60, help="seconds that clocks are wrong")
    parser.add_argument("--pause", type=float, default=0.6, help="seconds between faults")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--upgrade", action="store_true",
                        help="to the next release while it runs")
    parser.add_argument("--keep", help="a folder for everything, to look into")
    options = parser.parse_args()
    print("seed", options.seed, flush=True)
    with tempfile.TemporaryDirectory(prefix="moiety-chaos-") as folder:
        if options.keep:
            folder = options.keep
            os.makedirs(folder)
        chaos = Chaos(folder, options.leaders, options.helpers, options.seed, options.lease,
                      options.skew)
        began = time.monotonic()
        complaints = ["the run did not end"]
        try:
            lost, doubled = chaos.run(options.reports, options.faults, options.pause,
                                      options.upgrade)
        finally:
            complaints = chaos.stop()
            print(f"{chaos.faults} faults in {time.monotonic() - began:.0f} s:",
                  dict(chaos.log), {name: front.done for name, front in chaos.fronts.items()})
    print(f"{options.reports} reports, {lost} lost, {doubled} counted twice")
    for line in complaints:
        print(line)
    return 1 if lost or doubled or complaints else 0


if __name__ == "__main__":
    sys.exit(main())
