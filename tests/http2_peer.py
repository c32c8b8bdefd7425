"""An HTTP/2 peer (RFC 9113) that follows no rule: it sends any frames, and reads when the test wants.
It speaks plain TCP, with prior knowledge."""

import socket
import struct
from urllib.parse import urlsplit

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
ACK = END_STREAM = 1
END_HEADERS = 4
INITIAL_WINDOW_SIZE = 4
CANCEL = 8
#: The largest frame payload that every peer accepts (RFC 9113, 6.5.2).
FRAME_BYTES = 16_384


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field without indexing and without Huffman coding (RFC 7541, 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name + number(len(value)) + value


def number(value: int) -> bytes:
    """An integer with a prefix of seven bits (RFC 7541, 5.1)."""
    if value < 127:
        return bytes([value])
    rest, parts = value - 127, b"\x7f"
    while rest >= 128:
        parts += bytes([rest % 128 + 128])
        rest //= 128
    return parts + bytes([rest])


class Peer:
    """A connection that lets the gateway send `window` bytes of each answer."""

    def __init__(self, origin: str, window: int = 65_535, **headers: str):
        self.place = urlsplit(origin)
        self.headers = headers
        self.socket = socket.create_connection((self.place.hostname, self.place.port), timeout=20)
        setting = struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
        self.send(PREFACE + frame(SETTINGS, 0, 0, setting) + frame(SETTINGS, ACK, 0))
        self.stream = -1

    def send(self, frames: bytes) -> None:
        self.socket.sendall(frames)

    def head(self, path: str) -> bytes:
        """The header fields of a GET."""
        named = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", path.encode())]
        named.append((b":authority", self.place.netloc.encode()))
        named += [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        return b"".join(literal(*field) for field in named)

    def asking(self, path: str) -> bytes:
        """The frames of the next GET."""
        self.stream += 2
        head = self.head(path)
        parts = [head[start : start + FRAME_BYTES] for start in range(0, len(head), FRAME_BYTES)]
        kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
        flags = [END_STREAM] + [0] * (len(parts) - 1)
        flags[-1] |= END_HEADERS
        return b"".join(
            frame(kind, flag, self.stream, part) for kind, flag, part in zip(kinds, flags, parts)
        )

    def read(self) -> tuple[int, int, int, bytes] | None:
        """Reads the next frame: kind, flags, stream, payload. None when the connection has ended."""
        head = self._exactly(9)
        if head is None:
            return None
        payload = self._exactly(int.from_bytes(head[:3]))
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return None if payload is None else (kind, flags, stream, payload)

    def _exactly(self, count: int) -> bytes | None:
        got = b""
        while len(got) < count:
            try:
                more = self.socket.recv(count - len(got))
            except ConnectionResetError:
                return None
            if not more:
                return None
            got += more
        return got

    def heads(self, count: int) -> int:
        """Waits until `count` answers have begun or the connection ends. Returns how many began."""
        begun = 0
        while begun < count and (got := self.read()):
            begun += got[0] == HEADERS
        return begun

    def close(self) -> None:
        self.socket.close()
