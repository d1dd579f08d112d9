#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a certificate costs `moiety ca serve`: CPU of the server and its
signer, latency, memory. http-01 is answered for real, every proof is new, and the
database's commits are durable.

usage: run.py MOIETY ACME-LOAD [WORKERS [COUNT]]
"""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


def children(pid):
    return [int(c) for c in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def main():
    moiety, load = sys.argv[1:3]
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 4
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
    with tempfile.TemporaryDirectory() as folder:
        port, answers = free_port(), free_port()
        url = f"http://127.0.0.1:{port}"
        subprocess.run([moiety, "ca", "init", f"{folder}/ca", "--listen", f"127.0.0.1:{port}",
                        "--url", url], check=True, stdout=subprocess.DEVNULL)
        config = pathlib.Path(folder, "ca", "ca.yaml")
        text = config.read_text().replace(f'"127.0.0.1:{port}"',
                                          f'"127.0.0.1:{port}"\n    plain_http: true')
        config.write_text(text + f"validation: {{http_port: {answers}}}\n"
                          "external_account_required: false\n"
                          "lifetime: {authorization: 0}\n"
                          "limits: {account_burst: 0, name_burst: 0}\n"
                          "logging: {level: warn}\n")
        server = subprocess.Popen([moiety, "ca", "serve", "--config", str(config)])
        try:
            while True:
                try:
                    urllib.request.urlopen(f"{url}/directory", timeout=5).read()
                    break
                except OSError:
                    time.sleep(0.05)
            processes = [server.pid, *children(server.pid)]
            before = [cpu_seconds(p) for p in processes]
            done = subprocess.run([load, url, str(answers), str(workers), str(count)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            after = [cpu_seconds(p) for p in processes]
            issued = len(done.stdout.split())
            spent = [1000 * (a - b) / max(issued, 1) for a, b in zip(after, before)]
            memory = [resident_mib(p) for p in processes]
            print(done.stderr.strip())
            print(f"CPU ms a certificate: {sum(spent):.3f} "
                  f"(server {spent[0]:.3f}, signer {sum(spent[1:]):.3f})")
            print(f"resident MiB: server {memory[0]:.1f}, signer {sum(memory[1:]):.1f}")
            return done.returncode
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


if __name__ == "__main__":
    sys.exit(main())
