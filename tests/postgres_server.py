"""A PostgreSQL server for one test, in any network."""

import glob
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres(place: Path, port: int, within: tuple[str, ...] = ()) -> Iterator[int]:
    """Serves every local user on loopback at `port` until the end of the `with`, with its files in `place`.
    `within` is the command that runs it elsewhere, such as in another network namespace."""
    binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    folder = place / "postgres"
    folder.mkdir(parents=True)
    place.chmod(0o755)
    place.parent.chmod(0o755)
    as_user = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
        for above in [place.parent, *place.parent.parents]:
            if above.stat().st_uid == 0 and above.is_relative_to("/tmp") and above != Path("/tmp"):
                above.chmod(0o755)
    subprocess.run(
        [*as_user, f"{binaries}/initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust",
         "--no-sync"],
        check=True, stdout=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    server = subprocess.Popen(
        [*within, *as_user, f"{binaries}/postgres", "-D", folder / "data", "-p", str(port),
         "-k", "", "-h", "127.0.0.1"],
        stderr=subprocess.DEVNULL, cwd="/",
    )  # fmt: skip
    ready = [*within, f"{binaries}/pg_isready", "-h", "127.0.0.1", "-p", str(port), "-t", "30"]
    while subprocess.run(ready, stdout=subprocess.DEVNULL).returncode != 0:
        assert server.poll() is None, "PostgreSQL did not start"
    try:
        yield port
    finally:
        server.terminate()
        server.wait(30)
