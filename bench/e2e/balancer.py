# SPDX-License-Identifier: Apache-2.0
"""One address for several replicas: TCP connections, each in turn."""
import itertools
import socket
import threading

_PIECE = 1 << 18


class Balancer:
    def __init__(self, ports):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.ports = itertools.cycle(ports)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:  # closed
                return
            try:
                server = socket.create_connection(("127.0.0.1", next(self.ports)))
            except OSError:
                client.close()
                continue
            for a, b in ((client, server), (server, client)):
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass_on, args=(a, b), daemon=True).start()

    @staticmethod
    def _pass_on(source, target):
        try:
            while piece := source.recv(_PIECE):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def stop(self):
        self.listener.close()
