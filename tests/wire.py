"""A TCP proxy that is the network between two programs, and can be cut."""

import socket
import threading
import time


class Network:
    """Passes connections to `port` on to `target`, until a test cuts them.

    `slow_to` bounds the bytes per second through each connection in each direction.
    """

    def __init__(self, target: tuple[str, int], port: int = 0):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.slow_to: int | None = None
        self.moved = 0
        self._is_down = False
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self._is_down:
                near.close()
                continue
            try:
                far = socket.create_connection(self.target, timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._changed:
                self._open |= {near, far}
            for here, there in [(near, far), (far, near)]:
                threading.Thread(target=self._copy, args=(here, there), daemon=True).start()

    def _copy(self, here: socket.socket, there: socket.socket) -> None:
        try:
            while data := here.recv(16384 if self.slow_to else 262144):
                if self.slow_to:
                    time.sleep(len(data) / self.slow_to)
                there.sendall(data)
                with self._changed:
                    self.moved += len(data)
                    self._changed.notify_all()
            there.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(here, there)

    def _end(self, *pair: socket.socket) -> None:
        with self._changed:
            self._open -= set(pair)
        for one in pair:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def wait_until_moved(self, more: int, seconds: float = 60) -> None:
        """Waits until `more` further bytes have gone through, in both directions together."""
        with self._changed:
            aim = self.moved + more
            assert self._changed.wait_for(lambda: self.moved >= aim, seconds), "no more bytes go through"

    def cut(self) -> None:
        """Breaks open connections, and accepts no new ones."""
        self._is_down = True
        with self._changed:
            open_now = list(self._open)
        self._end(*open_now)

    def mend(self) -> None:
        """Accepts new connections again."""
        self._is_down = False

    def close(self) -> None:
        self.listener.close()
        self.cut()
