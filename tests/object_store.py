"""An S3-compatible object store of its own for a test: s3s-fs, which keeps buckets as folders."""

import os
import subprocess
from pathlib import Path

from gateway_process import ROOT
from hall_place import free_port

PROGRAM = ROOT / "target/s3s-fs/bin/s3s-fs"
ACCESS_KEY, SECRET_KEY = "who", "a secret of the store"


class ObjectStore:
    """A running store with one bucket. Its objects are files, to look at from behind."""

    def __init__(self, folder: Path, bucket: str):
        assert PROGRAM.is_file(), f"{PROGRAM} is missing; `make test` builds it"
        self.bucket, self.objects = bucket, folder / bucket
        self.objects.mkdir(parents=True)
        self.port = free_port()
        self.process = subprocess.Popen(
            [PROGRAM, "--host", "127.0.0.1", "--port", str(self.port),
             "--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY, folder],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "RUST_LOG": "s3s_fs=info"},
        )  # fmt: skip
        assert any("server is running" in line for line in self.process.stdout)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, table: str, secret: Path, address: str | None = None) -> str:
        """The bucket of a store in a configuration, under this table; keeps its secret in a file.
        With `address` it is reached by another way."""
        secret.write_text(f"{SECRET_KEY}\n")
        return (
            f'[{table}]\nendpoint = "{address or self.address}"\nregion = "us-east-1"\n'
            f'name = "{self.bucket}"\naccess_key = "{ACCESS_KEY}"\nsecret_key_file = "{secret}"\n'
        )

    def names(self) -> set[str]:
        """All objects."""
        found = (path for path in self.objects.rglob("*") if path.is_file())
        return {path.relative_to(self.objects).as_posix() for path in found}

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
