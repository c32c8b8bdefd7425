"""An agent dials out. psql, ssh, rsync, scp and S3 tools reach the services and stores behind it."""

import getpass
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import Program
from hall_place import HALL, Guest, Realm, free_port
from object_store import ObjectStore
from postgres_server import postgres

AGENT = "annex"
RIGHTS = ["connect:db", "connect:ssh", "read:scans", "write:scans", "delete:scans",
          "read:bucket", "write:bucket", "delete:bucket"]  # fmt: skip


def event(name: str) -> re.Pattern[str]:
    return re.compile(f'"event":"{name}"')


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("annex")


@pytest.fixture(scope="module")
def database(place: Path) -> Iterator[int]:
    """A PostgreSQL server for this file; returns its port."""
    with postgres(place, free_port()) as port:
        yield port


@pytest.fixture(scope="module")
def sshd(place: Path) -> Iterator[tuple[int, Path]]:
    """A loopback sshd; returns its port and the private key that it accepts."""
    for name in ["host", "user"]:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name], check=True)
    port = free_port()
    config = place / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nPidFile none\n"
        f"AuthorizedKeysFile {place}/user.pub\nStrictModes no\nUsePAM no\n"
        "PermitRootLogin yes\nSubsystem sftp internal-sftp\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    daemon = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=subprocess.PIPE, text=True
    )
    assert any("listening" in line for line in daemon.stderr)
    yield port, place / "user"
    daemon.terminate()
    daemon.wait(30)


@pytest.fixture(scope="module")
def bucket(place: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(place / "objects", "annex")
    yield store
    store.stop()


@pytest.fixture(scope="module")
def realm(tmp_path_factory) -> Iterator[Realm]:
    made = Realm(tmp_path_factory.mktemp("realm"), "")
    yield made
    made.close()


@pytest.fixture(scope="module")
def agent(
    realm: Realm, place: Path, database: int, sshd: tuple[int, Path], bucket: ObjectStore
) -> Iterator[Program]:
    (place / "scans").mkdir()
    config = place / "hall-agent.toml"
    config.write_text(
        f'[[services]]\nname = "db"\naddress = "127.0.0.1:{database}"\n'
        f'[[services]]\nname = "ssh"\naddress = "127.0.0.1:{sshd[0]}"\n'
        '[[stores]]\nname = "scans"\nfolder = "scans"\n'
        '[[stores]]\nname = "bucket"\n' + bucket.settings("stores.bucket", place / "s3.secret")
    )
    named = {"stores": ["scans", "bucket"], "services": ["db", "ssh"]}
    link = realm.owner.act("hall.invite_agent", hall=HALL, agent=AGENT, **named)["link"]
    running = Program("hall", "agent", "--config", config, "--join", link, "--json")
    running.wait_for(event("connected"))
    assert (place / "hall-agent.identity").stat().st_mode & 0o777 == 0o600
    yield running
    assert running.stop() == 0, "\n".join(running.lines)


@pytest.fixture(scope="module")
def ada(realm: Realm, agent: Program) -> Guest:
    return realm.guest("Ada", RIGHTS)


def test_psql_reaches_a_database_behind_an_agent(ada: Guest):
    opened = ada.open("--rights", "connect:db")
    host, port = opened.address("db")
    done = subprocess.run(
        ["psql", "-h", host, "-p", str(port), "-U", "postgres", "-At",
         "-c", "select sum(n) from generate_series(1, 1000) n"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout.strip(), done.returncode) == ("500500", 0), done.stderr
    opened.close()


def test_ssh_rsync_and_scp_go_through_connect(ada: Guest, sshd: tuple[int, Path], tmp_path: Path):
    opened = ada.open("--rights", "connect:ssh")
    from gateway_process import hallway

    ssh = (
        f"ssh -F /dev/null -i {sshd[1]} -o BatchMode=yes -o StrictHostKeyChecking=no "
        f"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "
        f"-o ProxyCommand='{hallway()} connect {HALL}:ssh'"
    )
    user = getpass.getuser()
    done = subprocess.run(f"{ssh} {user}@lab echo reached", shell=True, env=ada.environment,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.stdout.strip() == "reached", done.stderr
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for number in range(20):
        (here / f"{number}.bin").write_bytes(os.urandom(100_000))
    done = subprocess.run(["rsync", "-a", "-e", ssh, f"{here}/", f"{user}@lab:{there}/"],
                          env=ada.environment, capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {p.name: p.read_bytes() for p in there.iterdir()} == {
        p.name: p.read_bytes() for p in here.iterdir()
    }
    scp = f"scp{ssh.removeprefix('ssh')} {here}/0.bin {user}@lab:{there}/by-scp.bin"
    done = subprocess.run(scp, shell=True, env=ada.environment, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (there / "by-scp.bin").read_bytes() == (here / "0.bin").read_bytes()
    opened.close()


@pytest.mark.parametrize("name", ["scans", "bucket"])
def test_a_mirror_reaches_folders_and_buckets_behind_an_agent(
    ada: Guest, tmp_path: Path, name: str
):
    here, back = tmp_path / "here", tmp_path / "back"
    (here / "sub").mkdir(parents=True)
    (here / "sub/small").write_bytes(b"small")
    (here / "large ü").write_bytes(os.urandom(9_000_000))
    opened = ada.open("--rights", f"read:{name},write:{name},delete:{name}")
    first = ada.json("mirror", here, f"{HALL}:{name}/copy")
    assert (first["copied"], first["failed"]) == (2, [])
    again = ada.json("mirror", here, f"{HALL}:{name}/copy")
    assert (again["copied"], again["same"]) == (0, 2)
    down = ada.json("mirror", f"{HALL}:{name}/copy", back)
    assert (down["copied"], down["failed"]) == (2, [])
    assert (back / "large ü").read_bytes() == (here / "large ü").read_bytes()
    ada.run("rm", "--recursive", f"{HALL}:{name}/copy")
    assert ada.json("ls", f"{HALL}:{name}") == []
    opened.close()


def test_a_dismissed_agent_is_disconnected_and_cannot_join_again(realm: Realm, place: Path, ada: Guest):
    (place / "nothing").mkdir()
    (place / "second.toml").write_text('[[stores]]\nname = "none"\nfolder = "nothing"\n')
    link = realm.owner.act("hall.invite_agent", hall=HALL, agent="second", stores=["none"])["link"]
    running = Program("hall", "agent", "--config", place / "second.toml", "--join", link, "--json")
    running.wait_for(event("connected"))
    realm.owner.act("hall.dismiss_agent", hall=HALL, agent="second")
    assert running.process.wait(60) == 1, "\n".join(running.lines)
    again = Program("hall", "agent", "--config", place / "second.toml", "--join", link)
    assert again.process.wait(60) == 1, "the link worked twice"
