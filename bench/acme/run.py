#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what a certificate costs `moiety ca serve`: CPU of the server and its
signer, latency, memory. http-01 is answered for real, every proof is new, and the
commit of each certificate is durable. With --pebble, Pebble is measured after it,
by the same client; it keeps everything in memory and lints nothing."""
import argparse
import contextlib
import json
import os
import pathlib
import signal
import socket
import ssl
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


def mib(pid, file, field):
    for line in pathlib.Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return 0


def resident_mib(pid):
    return mib(pid, "status", "VmRSS")


def children(pid):
    return [int(c) for c in
            pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def await_answer(url):
    """A server's start; whom to trust is not the question here."""
    anybody = ssl._create_unverified_context()
    while True:
        try:
            urllib.request.urlopen(url, timeout=5, context=anybody).read()
            return
        except OSError:
            time.sleep(0.05)


@contextlib.contextmanager
def serving(arguments, url, **more):
    server = subprocess.Popen([str(a) for a in arguments], **more)
    try:
        await_answer(url)
        yield [server.pid, *children(server.pid)]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def measure(name, processes, arguments):
    before = [cpu_seconds(p) for p in processes]
    done = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    issued = max(len(done.stdout.split()), 1)
    spent = [1000 * (cpu_seconds(p) - b) / issued for p, b in zip(processes, before)]
    parts = f" (server {spent[0]:.3f}, signer {sum(spent[1:]):.3f})" if len(spent) > 1 else ""
    print(f"{name}: {done.stderr.strip()}")
    print(f"{name}: CPU ms a certificate: {sum(spent):.3f}{parts}")
    # What a child has in common with its parent counts once.
    together = resident_mib(processes[0]) + sum(
        mib(p, "smaps_rollup", "Private_Clean") + mib(p, "smaps_rollup", "Private_Dirty")
        for p in processes[1:])
    print(f"{name}: resident MiB: {', '.join(f'{resident_mib(p):.1f}' for p in processes)}; "
          f"together {together:.1f}; most of the first {mib(processes[0], 'status', 'VmHWM'):.1f}")
    return done.returncode


def ours(moiety, load, workers, count, folder):
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
    with serving([moiety, "ca", "serve", "--config", config], f"{url}/directory") as processes:
        return measure("moiety", processes, [load, url, answers, workers, count])


def pebble(program, load, workers, count, folder):
    port, management, answers = free_port(), free_port(), free_port()
    key, certificate = f"{folder}/key.pem", f"{folder}/cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "1", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL)
    config = pathlib.Path(folder, "pebble.json")
    config.write_text(json.dumps({"pebble": {
        "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": certificate, "privateKey": key, "httpPort": answers,
        "tlsPort": free_port()}}))
    environment = dict(os.environ, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="0",
                       PEBBLE_AUTHZREUSE="0")
    url = f"https://localhost:{port}/dir"
    with serving([program, "-config", config], url, env=environment, stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL) as processes:
        return measure("pebble", processes, [load, url, answers, workers, count, certificate])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("moiety", help="the program, tools/moiety/moiety of a release build")
    parser.add_argument("load", help="bench/acme/acme-load of the same build")
    parser.add_argument("workers", nargs="?", type=int, default=4)
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("--pebble", metavar="PROGRAM", help="measure this one too")
    a = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        failed = ours(a.moiety, a.load, a.workers, a.count, folder)
        if a.pebble is not None:
            failed = pebble(a.pebble, a.load, a.workers, a.count, folder) or failed
    return failed


if __name__ == "__main__":
    sys.exit(main())
