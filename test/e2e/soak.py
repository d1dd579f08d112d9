#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Days and weeks of a pair's life in an hour: its memory and its tables stay as
they are.

    MOIETY=.. MOIETYD=.. E2E_WORLD=.. test/e2e/soak.py --duration 3600 --out soak.jsonl

The servers' clocks (world.c) run through a day in --day seconds. Each day every
task gets its reports, in parts, and then the day is collected and must be exact.
One task is made and one removed each day, two stay: one by time, one whose batches
the leader selects and whose helper answers later. HPKE keys rotate by age, data
keys each week; what is older than two weeks is deleted. Every few seconds one JSON
object says what is in memory and in the tables; in the end the last third of them
is held against the third before.
"""
import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
from concurrent import futures

from database import Postgres
from pair import Server, moiety
from world import World

DAY = 86400
# Leases are by the clock that runs ahead, and kept by one that doesn't.
CONFIG = """hpke:
  key_lifetime: 3d
  config_max_age: 12h
aggregator:
  job_poll: 100ms
  lease: 24h
  gc_interval: 1s
log:
  level: warn
"""
ROLLING = 4  # tasks that come and go
BUCKETS = 8
TARGET = 100  # reports of a batch that the leader selects


class Task:
    def __init__(self, name, by_time):
        self.name = name
        self.by_time = by_time
        self.sent = collections.defaultdict(collections.Counter)  # of each day
        self.uncollected = 0


class Soak:
    def __init__(self, folder, day_s, reports, parts=4, seed=None):
        self.folder = pathlib.Path(folder)
        # Of a task in a day, uploaded in so many parts.
        self.day_s, self.reports, self.parts = day_s, reports, parts
        self.random = random.Random(seed)
        self.database = Postgres("leader", "helper")
        self.world = World(self.folder / "world")
        self.leaders = [self.make_server("leader", i) for i in range(2)]
        self.helpers = [self.make_server("helper", 0)]
        self.tasks = []
        self.made = self.removed = self.days = self.collected = 0
        self.began = time.monotonic()

    def make_server(self, party, number):
        server = Server(self.folder / f"{party}{number}", extra=CONFIG, key="5a" * 32,
                        database=self.database.url(party), world=self.world)
        server.start()
        return server

    def stop(self):
        """What the servers said, which is nothing if all went well."""
        for server in self.leaders + self.helpers:
            server.stop()
        said = [line for server in self.leaders + self.helpers
                for line in server.logged().splitlines()]
        self.database.stop()
        return said

    def moiety(self, *arguments):
        return moiety(*arguments, world=self.world)

    def now(self):
        return time.time() + self.world.ahead_s

    # ---- Tasks ----

    def file(self, task, party):
        return self.folder / f"{task.name}.{party}.json"

    def make_task(self, name, *options, by_time=True):
        task = Task(name, by_time)
        moiety("task", "new", name, "--out", self.folder, "--leader", self.leaders[0].url,
               "--helper", self.helpers[0].url, "--min-batch-size", 10, "--allow-small-batches",
               "--vdaf", "histogram", "--length", BUCKETS, "--time-precision", "1d",
               "--report-expiry", "14d", *options)
        for server in (self.leaders[0], self.helpers[0]):
            party = "leader" if server in self.leaders else "helper"
            self.moiety("task", "import", "--config", server.config, "--allow-small-batches",
                        self.file(task, party))
        self.tasks.append(task)
        self.made += 1

    def remove_task(self, task):
        task_id = json.loads(self.file(task, "client").read_text())["task_id"]
        for server in (self.leaders[0], self.helpers[0]):
            self.moiety("task", "rm", "--yes", "--config", server.config, "--", task_id)
        for path in self.folder.glob(f"{task.name}.*"):
            path.unlink()
        self.tasks.remove(task)
        self.removed += 1

    def upload(self, task, day, count):
        buckets = [self.random.randrange(BUCKETS) for _ in range(count)]
        moiety("upload", "--task", self.file(task, "client"), "--time", day * DAY,
               stdin="".join(f"{b}\n" for b in buckets))
        task.sent[day].update(buckets)
        task.uncollected += count

    # ---- Results ----

    def collect(self, task, *what):
        output = moiety("collect", "--task", self.file(task, "collector"), "--format", "json",
                        "--wait", "120s", *what)
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    def collect_day(self, task, day):
        if task.by_time and task.sent[day]:
            self.collected += 1
            result, = self.collect(task, "--from", day * DAY, "--to", (day + 1) * DAY)
            got = [int(value) for value in result["values"]]
            want = [task.sent[day][i] for i in range(BUCKETS)]
            if got != want:
                raise AssertionError(f"{task.name}, day {day}: {got}, not {want}")
            del task.sent[day]
        batches = 0 if task.by_time else task.uncollected // TARGET
        if batches > 0:
            results = self.collect(task, "--batches", batches)
            if any(int(result["report_count"]) != TARGET for result in results):
                raise AssertionError(f"{task.name}: {results}")
            task.uncollected -= len(results) * TARGET
            self.collected += len(results)

    # ---- Days ----

    def live(self):
        """One day: reports in some parts, then it is collected."""
        day = int(self.now() // DAY)
        began = time.monotonic()
        for part in range(self.parts):
            for task in self.tasks:
                self.upload(task, day, self.reports // self.parts)
            while time.monotonic() < began + self.day_s * (part + 1) / self.parts - 0.05:
                time.sleep(0.05)
            self.world.set_clock(self.world.ahead_s + DAY / self.parts)
        with futures.ThreadPoolExecutor() as together:
            list(together.map(lambda task: self.collect_day(task, day), self.tasks))
        self.days += 1
        self.make_task(f"t{self.made}")
        if len(self.tasks) > 2 + ROLLING:
            self.remove_task(self.tasks[2])
        if self.days % 7 == 0:
            self.moiety("db", "rotate-key", "--config", self.leaders[0].config)
            self.moiety("db", "rotate-key", "--config", self.helpers[0].config)

    def measure(self):
        """Resident memory in KiB, by process; bytes and rows of each table."""
        sample = {"s": round(time.monotonic() - self.began), "days": self.days,
                  "tasks": len(self.tasks), "collected": self.collected, "rss": {}, "tables": {}}
        for server in self.leaders + self.helpers:
            status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
            sample["rss"][server.folder.name] = int(status.split("VmRSS:")[1].split()[0])
        for party in ("leader", "helper"):
            names = self.database.ask("SELECT relname FROM pg_stat_user_tables", party).split()
            counts = " UNION ALL ".join(
                f"SELECT '{name}', pg_total_relation_size('{name}'), COUNT(*) FROM {name}"
                for name in sorted(names))
            for line in self.database.ask(counts, party).splitlines():
                name, size, rows = line.split("|")
                sample["tables"][f"{party}.{name}"] = [int(size), int(rows)]
        return sample

    def run(self, duration_s=float("inf"), days=float("inf"), out=None):
        """Lives until the time or the days are over; returns the samples, one each
        day."""
        samples = []
        # The first day begins as one does.
        self.world.set_clock(DAY - self.now() % DAY)
        self.make_task("always")
        self.make_task("chosen", "--batch-mode", "leader-selected", "--batch-target-size", TARGET,
                       "--helper-async", by_time=False)
        while time.monotonic() < self.began + duration_s and self.days < days:
            self.live()
            samples.append(self.measure())
            if out:
                out.write(json.dumps(samples[-1]) + "\n")
                out.flush()
        return samples


def grown(samples, by=1.08, slack_kib=512):
    """What the last third has more of than the third before: its most is over the
    other's most by more than a part and a slack."""
    third = len(samples) // 3
    complaints = []
    for kind, slack, value in (("rss", slack_kib, lambda v: v),
                               ("tables", slack_kib * 1024, lambda v: v[0])):
        for name in samples[-1][kind]:
            before = max(value(s[kind][name]) for s in samples[third:2 * third])
            after = max(value(s[kind][name]) for s in samples[2 * third:])
            if after > before * by + slack:
                complaints.append(f"{kind} of {name}: from {before} to {after}")
    return complaints


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--duration", type=float, default=3600, help="seconds")
    parser.add_argument("--day", type=float, default=30, help="seconds that a day takes")
    parser.add_argument("--reports", type=int, default=400, help="of a task in a day")
    parser.add_argument("--out", help="a file for the samples, a JSON object a line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moiety-soak-") as folder:
        soak = Soak(folder, options.day, options.reports)
        said = ["it did not end"]
        try:
            with open(options.out or "/dev/null", "w") as out:
                samples = soak.run(options.duration, out=out)
        finally:
            said = soak.stop()
            print(*said[:50], sep="\n")
    complaints = grown(samples)
    print(f"{soak.days} days, {soak.made} tasks made and {soak.removed} removed, "
          f"{soak.collected} results, all exact")
    for kind in ("rss", "tables"):
        for name, first in samples[len(samples) // 3][kind].items():
            print(f"{kind} {name}: {first} after a third, {samples[-1][kind][name]} in the end")
    print(*complaints, sep="\n")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
