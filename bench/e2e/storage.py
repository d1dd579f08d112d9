# SPDX-License-Identifier: Apache-2.0
"""Where one side keeps everything, and what that takes: a SQLite file, or a
PostgreSQL server of its own that goes with it."""
import os
import pathlib
import shutil
import subprocess

import meter

_CLUSTER = pathlib.Path(__file__).parents[2] / "test" / "store" / "postgres_cluster"
_NOT_INSTALLED = 77


class Missing(Exception):
    """A program that is not installed."""


class Sqlite:
    def __init__(self, folder):
        self.file = pathlib.Path(folder) / "moiety.db"
        self.database = f"sqlite:{self.file}"
        self.pid = None

    def stored(self):
        """Bytes of tables and of what is logged ahead of them, as far as they
        can be told without looking at a process."""
        return {"database_bytes": sum(path.stat().st_size
                                      for path in self.file.parent.glob(self.file.name + "*"))}

    def begin_phase(self):
        pass

    def stop(self):
        pass


class Postgres:
    """Its folder's path must be short, since a socket lies in it."""

    SETTINGS = ("shared_buffers = 256MB", "max_wal_size = 4GB")

    def __init__(self, folder, settings=()):
        self.folder = pathlib.Path(folder)
        started = subprocess.run([_CLUSTER, "start", self.folder, *self.SETTINGS, *settings],
                                 check=False)
        if started.returncode == _NOT_INSTALLED:
            raise Missing("PostgreSQL is not installed")
        started.check_returncode()
        self.database = f"postgresql://moiety@/postgres?host={self.folder}"
        self.pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def _ask(self, query):
        psql = shutil.which("psql") or sorted(pathlib.Path("/usr/lib/postgresql").glob(
            "*/bin/psql"))[-1]
        return subprocess.run([psql, "-XAtq", self.database, "-c", query], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()

    def stored(self):
        database, wal = self._ask("SELECT pg_database_size(current_database()), "
                                  "pg_current_wal_lsn() - '0/0'").split("|")
        return {"database_bytes": int(database), "wal_bytes": int(wal)}

    def begin_phase(self):
        """From here on a page's first change logs the whole page again."""
        self._ask("CHECKPOINT")

    def stop(self):
        subprocess.run([_CLUSTER, "stop", self.folder], check=True)


def make(store, folder, settings=()):
    if store == "postgres":
        return Postgres(folder, settings)
    os.makedirs(folder)
    return Sqlite(folder)


def used(storage, server_pids):
    """All that is counted for one side, at this moment."""
    now = storage.stored()
    now["written_bytes"] = sum(meter.bytes_written(pid) for pid in server_pids)
    return now
