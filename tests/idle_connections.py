"""Connects many times to a hall listener, sends one request on each connection, then keeps it idle. It is
a program of its own, so that the connections use none of the test's open files.

    idle_connections.py PORT COUNT BUNDLE CERTIFICATE KEY

Prints `held` once all connections are open, answers the pings of HTTP/2, prints `lost` for each
connection that the other side ends, and ends at the end of its standard input.
"""

import resource
import selectors
import socket
import ssl
import struct
import sys

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, PING, HEADERS, ACK = 4, 6, 1, 1
#: `GET https://hall/grant` (RFC 7541: three from the static table, two literals).
HEAD = b"\x82\x87\x04\x06/grant\x01\x04hall"
#: The flags END_STREAM and END_HEADERS of HEADERS (RFC 9113, 6.2).
END_OF_REQUEST = 0x1 | 0x4


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


class Idle:
    """One idle connection."""

    def __init__(self, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None):
        plain = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.tls = context.wrap_socket(plain, session=session)
        self.tls.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_OF_REQUEST, 1, HEAD))
        self.got = b""

    def hear(self) -> bool:
        """Answers the frames that came. False when the other side has ended the connection."""
        try:
            got = self.tls.recv(65536)
        except ssl.SSLWantReadError:
            return True
        except (ConnectionError, ssl.SSLError):
            return False
        self.got += got
        while len(self.got) >= 9:
            length = int.from_bytes(self.got[:3])
            if len(self.got) < 9 + length:
                break
            kind, flags, payload = self.got[3], self.got[4], self.got[9 : 9 + length]
            self.got = self.got[9 + length :]
            if kind in (PING, SETTINGS) and not flags & ACK:
                self.tls.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        return got != b""


def main() -> None:
    port, count, bundle, certificate, key = sys.argv[1:]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    context = ssl.create_default_context(cafile=bundle)
    context.check_hostname = False
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2"])
    ready, session = selectors.DefaultSelector(), None

    def attend(wait: float | None) -> bool:
        """Reads from every connection that has data. False at the end of standard input."""
        for event, _ in ready.select(wait):
            if event.data is None:
                return False
            if not event.data.hear():
                ready.unregister(event.fileobj)
                print("lost", flush=True)
        return True

    for number in range(int(count)):
        idle = Idle(int(port), context, session)
        assert idle.hear()
        # All connections resume the session of the first, because the test does not measure handshakes.
        session = session or idle.tls.session
        idle.tls.setblocking(False)
        ready.register(idle.tls, selectors.EVENT_READ, idle)
        if number % 100 == 0:
            attend(0)
    print("held", flush=True)
    ready.register(sys.stdin, selectors.EVENT_READ, None)
    while attend(None):
        pass


if __name__ == "__main__":
    main()
