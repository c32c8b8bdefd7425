"""`hallway serve`, as an operator starts it."""

import base64
import datetime
import json
import os
import re
import socket
import ssl
import subprocess
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from gateway_process import LINK, Gateway, Program, hallway

SERVES = re.compile(r"serves (\S+) at (http\S+)")


def refused(*arguments: str | Path) -> str:
    """The output of a `hallway serve` that must not start."""
    ended = subprocess.run(
        [hallway(), "serve", *map(str, arguments)], capture_output=True, text=True, timeout=30
    )
    assert ended.returncode == 1, ended.stdout
    assert "panicked" not in ended.stderr
    return ended.stderr


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A server certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret


def test_tls_with_a_given_certificate(tmp_path: Path, certificate: tuple[Path, Path]):
    chain, key = certificate
    gateway = Program(
        *("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0"),
        *("--tls-certificate", chain, "--tls-key", key),
    )
    origin = gateway.wait_for(SERVES)[2]
    assert origin.startswith("https://localhost:")
    assert gateway.wait_for(LINK)[1] == origin
    trusting = ssl.create_default_context(cafile=str(chain))
    with urllib.request.urlopen(f"{origin}/healthz", context=trusting) as answer:
        assert answer.read() == b"ok\n"
        assert "max-age" in answer.headers["Strict-Transport-Security"]
    with pytest.raises(ssl.SSLError):
        old = ssl.create_default_context(cafile=str(chain))
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("ALL:@SECLEVEL=0")
        try:
            urllib.request.urlopen(f"{origin}/healthz", context=old)
        except urllib.error.URLError as error:
            raise error.reason from None
    assert gateway.stop() == 0


def test_plain_http_listens_on_loopback_only(tmp_path: Path):
    said = refused("--data", tmp_path / "data", "--listen", "0.0.0.0:0")
    assert "no certificate is configured" in said


def test_a_realm_keeps_its_name(tmp_path: Path):
    gateway = Gateway(tmp_path / "data")
    assert gateway.stop() == 0
    said = refused("--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--realm", "other.localhost")
    assert "this database is the realm" in said


def test_a_set_up_link_is_printed_until_there_is_an_owner(tmp_path: Path):
    first = Gateway(tmp_path / "data")
    assert first.stop() == 0
    second = Gateway(tmp_path / "data")
    assert second.set_up_link != first.set_up_link
    assert second.stop() == 0


def test_a_misspelt_setting_is_named(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "hallway.toml").write_text('relam = "localhost"\n')
    assert "relam" in refused("--data", folder)


def test_the_first_start_writes_its_flags_to_the_configuration(tmp_path: Path):
    flags = ["--realm", "Alpha.localhost", "--public-url", "HTTP://Gate.alpha.LOCALHOST:8080/"]
    first = Gateway(tmp_path / "data", *flags)
    assert first.origin == "http://gate.alpha.localhost:8080"
    assert any("hallway.toml" in line for line in first.lines), first.lines
    assert first.stop() == 0
    kept = tomllib.loads((tmp_path / "data" / "hallway.toml").read_text())
    assert (kept["realm"], kept["listen"]) == ("alpha.localhost", "127.0.0.1:0")
    assert kept["public_url"] == "http://gate.alpha.localhost:8080"
    second = Program("serve", "--data", tmp_path / "data")
    assert second.wait_for(SERVES).groups() == ("alpha.localhost", first.origin)
    assert second.stop() == 0
    assert not any("hallway.toml" in line for line in second.lines), second.lines


@pytest.mark.parametrize(
    "flags",
    [
        ["--listen", "0.0.0.0:0"],
        ["--realm", "gate.example"],
        ["--realm", "gate.example", "--public-url", "https://other.example"],
        ["--tls-certificate", "/nowhere.pem", "--tls-key", "/nowhere.key"],
        ["--metadata-root", "/nowhere.pem"],
    ],
)
def test_a_first_start_that_fails_leaves_no_files(tmp_path: Path, flags: list[str]):
    listen = [] if "--listen" in flags else ["--listen", "127.0.0.1:0"]
    said = refused("--data", tmp_path / "data", *listen, *flags)
    assert "secret" not in said
    assert not (tmp_path / "data").exists()
    again = Gateway(tmp_path / "data")
    assert again.origin.startswith("http://localhost:")
    assert again.stop() == 0


@pytest.mark.parametrize("port", [":443", ":0443", ":", ""])
def test_the_origin_is_spelled_as_browsers_do(tmp_path: Path, certificate, port: str):
    chain, key = certificate
    data = tmp_path / "data"
    data.mkdir()
    (data / "hallway.toml").write_text(
        f'realm = "Example.com"\nlisten = "127.0.0.1:0"\npublic_url = "https://Gate.example.com{port}/"\n'
        f'[tls]\ncertificate = "{chain}"\nkey = "{key}"\n'
    )
    gateway = Program("serve", "--data", data)
    assert gateway.wait_for(SERVES).groups() == ("example.com", "https://gate.example.com")
    assert gateway.stop() == 0


@pytest.mark.parametrize("port", [":99999", ":abc", ":0", ":44 3", ":-1"])
def test_a_malformed_address_is_refused_with_its_line(tmp_path: Path, port: str):
    data = tmp_path / "data"
    data.mkdir()
    url = f"https://gate.example.com{port}"
    (data / "hallway.toml").write_text(f'realm = "example.com"\n\npublic_url = "{url}"\n')
    said = refused("--data", data)
    assert "line 3" in said and "a gateway's address is https://HOST" in said, said
    assert [path.name for path in data.iterdir()] == ["hallway.toml"]
    # If it comes from a flag or a variable, the message names that.
    for more in ({"HALLWAY_PUBLIC_URL": url}, {}):
        given = [] if more else ["--public-url", url]
        ended = subprocess.run(
            [hallway(), "serve", "--data", tmp_path / "other", *given],
            env={**os.environ, **more}, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        named = "HALLWAY_PUBLIC_URL" if more else "--public-url"
        assert ended.returncode == 2 and f"for '{named}" in ended.stderr, ended.stderr
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "flag, value",
    [
        ("--database", "postgres://me:secret@db:99999/realm"),
        ("--database", "mysql://me:secret@db/realm"),
        ("--metadata-url", "http://me:secret@mds.example/"),
    ],
)
def test_a_password_in_an_address_is_not_repeated(tmp_path: Path, flag: str, value: str):
    said = refused("--data", tmp_path / "data", "--listen", "127.0.0.1:0", flag, value)
    assert said.count(flag) == 1 and "secret" not in said, said
    (tmp_path / "data").mkdir()
    setting = "database" if flag == "--database" else "metadata.url"
    (tmp_path / "data/hallway.toml").write_text(f"{setting} = '{value}'\n")
    assert "line 1" in refused("--data", tmp_path / "data")


def test_another_operator_key_is_refused(tmp_path: Path):
    gateway = Gateway(tmp_path / "data")
    assert gateway.stop() == 0
    kept = tmp_path / "data" / "operator.key"
    kept.write_text(base64.b64encode(b"7" * 32).decode())
    said = refused("--data", tmp_path / "data", "--listen", "127.0.0.1:0")
    assert "does not open with this operator key" in said


@pytest.mark.parametrize("configured", [True, False])
def test_no_operator_key_is_made_for_an_existing_database(tmp_path: Path, configured: bool):
    gateway = Gateway(tmp_path / "data")
    assert gateway.stop() == 0
    kept = tmp_path / "data" / "operator.key"
    kept.unlink()
    if not configured:
        (tmp_path / "data" / "hallway.toml").unlink()
    said = refused("--data", tmp_path / "data", "--listen", "127.0.0.1:0")
    assert f"{kept} is missing, and the database needs it" in said, said
    assert not kept.exists()


def test_every_wrong_setting_is_reported_with_its_line(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "hallway.toml").write_text(
        'listen = "localhost:8080"\ndatabase = "mysql://me:secret@db/realm"\n'
        "web.session_hours = 0\nlimits.connections = 0\n"
    )
    said = refused("--data", data)
    lines = ["line 1, listen: ", "line 2, database: ", "line 3, web.session_hours: ", "line 4, limits."]
    places = [said.find(line) for line in lines]
    assert -1 not in places and places == sorted(places) and "secret" not in said, said


def test_a_gateway_that_waits_for_its_database_can_be_stopped(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgres://me:secret@127.0.0.1:{silent.getsockname()[1]}/realm"
        gateway = Program(
            *("serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--database", address)
        )
        gateway.wait_for(re.compile(r"waiting for the database"))
        assert gateway.stop() == 0
    assert "secret" not in "".join(gateway.lines), gateway.lines


def test_an_exposed_operator_key_is_refused(tmp_path: Path):
    gateway = Gateway(tmp_path / "data")
    assert gateway.stop() == 0
    (tmp_path / "data" / "operator.key").chmod(0o644)
    assert "chmod 600" in refused("--data", tmp_path / "data", "--listen", "127.0.0.1:0")


def test_the_trust_file_comes_from_the_running_gateway(gateway: Gateway, tmp_path: Path):
    file = tmp_path / "trust.json"
    exported = subprocess.run(
        [hallway(), "trust", "export", "--url", gateway.origin, file], capture_output=True, text=True
    )
    assert exported.returncode == 0, exported.stderr
    assert '"localhost"' in file.read_text()


def test_every_command_has_help_and_a_manual(tmp_path: Path):
    for command in ("tour", "serve", "key", "device", "verify", "log", "trust", "attest"):
        shown = subprocess.run([hallway(), command, "--help"], capture_output=True, text=True)
        assert shown.returncode == 0 and "Usage:" in shown.stdout
    made = subprocess.run([hallway(), "manual", tmp_path / "man"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "man" / "hallway-verify.1").read_text().startswith(".")


def test_serve_prints_its_addresses_as_json(tmp_path: Path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "hallway.toml").write_text('listen = "127.0.0.1:0"\n[hall]\nlisten = "127.0.0.1:0"\n')
    program = Program("serve", "--data", data, "--json", HALLWAY_LOG="off")
    said = json.loads(program.wait_for(re.compile("{.*}"))[0])
    assert said["event"] == "serving" and said["realm"] == "localhost"
    assert said["origin"].startswith("http://localhost:")
    assert said["setup_link"].startswith(said["origin"] + "/join#")
    assert said["halls"].startswith("127.0.0.1:")
    assert program.stop() == 0
