# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of a test's own, which it may kill."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from world import World

CLUSTER = pathlib.Path(__file__).parents[1] / "store" / "postgres_cluster"
NOT_INSTALLED = 77
# What a kill of the process can lose is the same with fsync as without.
SETTINGS = ("fsync = off", "shared_buffers = 64MB", "max_connections = 300")


class Postgres:
    """`self.world` is that of the server: its disk can be full."""

    def __init__(self, *databases):
        # A short path, since a socket lies there.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="moiety-pg-"))
        self.world = World(f"{self.folder}.world")
        started = subprocess.run([CLUSTER, "start", self.folder, *SETTINGS], check=False,
                                 env=self.world.environment())
        if started.returncode == NOT_INSTALLED:
            shutil.rmtree(self.folder)
            raise unittest.SkipTest("PostgreSQL is not installed")
        started.check_returncode()
        for name in databases:
            self.ask(f"CREATE DATABASE {name}")

    def url(self, database):
        return f"postgresql://moiety@/{database}?host={self.folder}"

    def psql(self, database):
        psql = shutil.which("psql") or sorted(pathlib.Path("/usr/lib/postgresql").glob(
            "*/bin/psql"))[-1]
        return [psql, "-XAtq", self.url(database)]

    def ask(self, query, database="postgres"):
        return subprocess.run([*self.psql(database), "-c", query], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()

    def hold(self, statements, database):
        """The process of a session that ran them, and lasts until it is killed."""
        session = subprocess.Popen(self.psql(database), text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        session.stdin.write(f"{statements};\n\\echo done\n")
        session.stdin.flush()
        session.stdout.readline()
        return session

    def kill(self):
        """kill -9 of the postmaster; the others end when they see it."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def restart(self):
        for _ in range(60):
            if subprocess.run([CLUSTER, "restart", self.folder], check=False,
                              stderr=subprocess.DEVNULL,
                              env=self.world.environment()).returncode == 0:
                return
            time.sleep(0.5)  # processes of the dead one are still there
        raise AssertionError(self.logged()[-5000:])

    def logged(self):
        return (self.folder / "log").read_text()

    def runs(self):
        """Whether the postmaster is there; it ends if it can't recover."""
        try:
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, 0)
            return True
        except (OSError, IndexError):
            return False

    def stop(self):
        subprocess.run([CLUSTER, "stop", self.folder], check=False)
        self.world.path.unlink(missing_ok=True)
