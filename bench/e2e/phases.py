# SPDX-License-Identifier: Apache-2.0
"""The phases of a run, each measured into one row."""
import concurrent.futures
import contextlib
import json
import os
import subprocess
import time

import storage
from deployment import moiety
from pair import MOIETY

LOAD = os.environ.get("MOIETY_LOAD", "")
# Uploads are measured alone by having the leader look for work never.
NO_AGGREGATION = "aggregator:\n  job_poll: 1h\n"
LOOK_S = 0.05
_GENERATED_AT_ONCE = 500


def generate(deployment, measurements):
    """Seals the reports into one file, in the order of the measurements.
    Returns its path."""
    workers = os.cpu_count() or 1
    each = -(-len(measurements) // workers)
    parts = [measurements[i:i + each] for i in range(0, len(measurements), each)]
    paths = [deployment.folder / f"reports.{i}" for i in range(len(parts))]

    def seal(part, path):
        subprocess.run([MOIETY, "upload", "--task", deployment.file("client"), "--out", path,
                        "--parallel", "1", "--batch", str(_GENERATED_AT_ONCE)], check=True,
                       input="".join(f"{line}\n" for line in part), text=True,
                       stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        list(pool.map(seal, parts, paths))
    with open(paths[0], "ab") as whole:
        for path in paths[1:]:
            whole.write(path.read_bytes())
            path.unlink()
    return paths[0]


class Failed(Exception):
    """The pair did not do what it has to, whatever it took."""


class Phases:
    def __init__(self, deployment, reports, options):
        self.deployment = deployment
        self.reports = reports
        self.options = options
        task_id = json.loads(deployment.file("client").read_text())["task_id"]
        self.path = f"/tasks/{task_id}/reports"

    # ---- What is taken before and after ----

    def _take(self):
        taken = {"cpu": {}, "stored": {}}
        for side in self.deployment.sides:
            taken["cpu"].update(side.cpu_s())
            taken["stored"][side.name] = storage.used(side.storage, side.pids())
        return taken

    @contextlib.contextmanager
    def _measured(self, row):
        """Fills in the row what the body, which sets `reports` and `seconds`,
        took. Only processes that run when it ends are told apart."""
        for side in self.deployment.sides:
            side.storage.begin_phase()
        before = self._take()
        yield
        after = self._take()
        reports = row["reports"]
        row["reports_per_s"] = reports / row["seconds"]
        cpu = {name: (spent - before["cpu"].get(name, 0)) * 1e3 / reports
               for name, spent in after["cpu"].items()}
        row["cpu_ms_per_report"] = {**cpu, "both_sides": sum(cpu.values())}
        if "load" in row:
            row["cpu_ms_per_report"]["load"] = row["load"]["cpu_seconds"] * 1e3 / reports
        row["bytes_per_report"] = {
            name: {what: (bytes_ - before["stored"][name][what]) / reports
                   for what, bytes_ in now.items()}
            for name, now in after["stored"].items()}
        row["resident_mib"] = {name: kib / 1024 for side in self.deployment.sides
                               for name, kib in side.resident_kib().items()}

    # ---- Phases ----

    def _load_command(self):
        o = self.options
        addresses = [f"127.0.0.1:{server.port}" for server in self.deployment.leader.servers]
        return [LOAD, "--file", self.reports, "--path", self.path, "--count", str(o.reports),
                "--batch", str(o.batch), "--connections", str(o.connections), "--patience",
                str(o.patience), *(word for a in addresses for word in ("--address", a)),
                *(["--seconds", str(o.seconds)] if o.seconds else [])]

    def upload(self):
        row = {"phase": "upload"}
        with self._measured(row):
            done = subprocess.run(self._load_command(), stdout=subprocess.PIPE, check=False)
            self._take_load(row, done.returncode, done.stdout)
            row["seconds"] = row["load"]["seconds"]
        return row

    def aggregate(self, uploaded):
        """The leader starts anew, as it was told not to look for work."""
        row = {"phase": "aggregate", "reports": uploaded}
        self.deployment.leader.end_servers()
        with self._measured(row):
            started = time.monotonic()
            self.deployment.leader.restart()
            self.deployment.leader.wait_ready()
            self._wait_aggregated(uploaded)
            row["seconds"] = time.monotonic() - started
        return row

    def together(self):
        row = {"phase": "together"}
        with self._measured(row):
            started = time.monotonic()
            load = subprocess.Popen(self._load_command(), stdout=subprocess.PIPE)
            output = load.communicate()[0]
            self._take_load(row, load.returncode, output)
            row["upload_seconds"] = row["load"]["seconds"]
            row["aggregated_meanwhile"] = self.deployment.leader.aggregated()
            self._wait_aggregated(row["reports"])
            row["seconds"] = time.monotonic() - started
        return row

    @staticmethod
    def _take_load(row, status, output):
        if status != 0:
            raise Failed(f"the load generator ended with status {status}")
        row["load"] = json.loads(output)
        row["reports"] = row["load"]["reports"]

    def _wait_aggregated(self, count):
        seen, since = -1, time.monotonic()
        while seen < count:
            now = self.deployment.leader.aggregated()
            if now > seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self.options.patience:
                raise Failed(f"only {seen:,} of {count:,} reports were aggregated")
            time.sleep(LOOK_S)

    def collect(self, expected, uploaded):
        """Both servers' sums of all that was uploaded have to be exact."""
        started = time.monotonic()
        output = moiety("collect", "--task", self.deployment.file("collector"), "--last", "5h",
                        "--format", "json", "--wait", "120s")
        seconds = time.monotonic() - started
        result = next(json.loads(line) for line in output.splitlines() if line.startswith("{"))
        if result["report_count"] != uploaded or [int(v) for v in result["values"]] != expected:
            raise Failed(f"{uploaded:,} reports were uploaded, but this was collected: {output}")
        return {"phase": "collect", "reports": uploaded, "seconds": seconds, "exact": True}
