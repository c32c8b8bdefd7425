"""Two organisations, each with its own gateway, certificate authority and network."""

import datetime
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from api_caller import Person, Reply, answered, challenge_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from gateway_process import LINK, Program
from hall_place import HALL, HALLS, SERVES, Guest, free_port

ONE_YEAR = datetime.timedelta(days=365)


class WebAuthority:
    """A certificate authority for web servers, as a company runs one internally."""

    def __init__(self, name: str):
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        own = x509.BasicConstraints(ca=True, path_length=0)
        self.certificate = self._sign(self.name, self.key.public_key(), own)
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def _sign(self, subject, public_key, *extensions) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - ONE_YEAR)
            .not_valid_after(now + ONE_YEAR)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self.key, hashes.SHA256())

    def serve(self, host: str, folder: Path) -> None:
        """Writes `web.pem` and `web.key` for a server with this name."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = self._sign(subject, key.public_key(), names)
        (folder / "web.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "web.key").write_bytes(pem)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@dataclass
class Site:
    """The place of one organisation: its network and its host name."""

    realm: str
    address: str
    port: int
    hall_port: int
    within: tuple[str, ...] = ()

    @property
    def host(self) -> str:
        return f"gate.{self.realm}"

    @property
    def origin(self) -> str:
        return f"https://{self.host}" + ("" if self.port == 443 else f":{self.port}")

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Runs a program in the organisation's network, to its end."""
        arguments = [*self.within, *map(str, command)]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


class Networks:
    """A network for each of two organisations, with a wire between them: for root, network namespaces;
    for other users, separate ports on this machine."""

    def __init__(self) -> None:
        self.spaces: list[str] = []
        if os.geteuid() == 0:
            self.sites = self._apart()
        else:
            self.sites = [
                Site(f"{name}.localhost", "127.0.0.1", free_port(), free_port())
                for name in ["alpha", "beta"]
            ]

    def _apart(self) -> list[Site]:
        mark = os.getpid()
        sites = []
        for number, name in enumerate(["alpha", "beta"], start=1):
            space = f"hallway-{name}-{mark}"
            self.spaces.append(space)
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
            within = ("ip", "netns", "exec", space)
            sites.append(Site(f"{name}.example", f"10.77.0.{number}", 443, 8443, within))
        wire = [f"hw{site.address[-1]}-{mark}" for site in sites]
        run("ip", "link", "add", wire[0], "type", "veth", "peer", "name", wire[1])
        hosts = "".join(f"{site.address} {site.host}\n" for site in sites)
        for space, end, site in zip(self.spaces, wire, sites, strict=True):
            run("ip", "link", "set", end, "netns", space)
            run("ip", "-n", space, "address", "add", f"{site.address}/24", "dev", end)
            run("ip", "-n", space, "link", "set", end, "up")
            etc = Path("/etc/netns") / space
            etc.mkdir(parents=True)
            (etc / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")
        return sites

    def say(self, site: Site, host: str, address: str) -> None:
        """Changes the address of a name for one of the organisations, as an attacker on its DNS could."""
        file = Path("/etc/netns") / self.spaces[self.sites.index(site)] / "hosts"
        lines = [line for line in file.read_text().splitlines() if line.split()[1] != host]
        # The file is changed in place, because running programs see this very file.
        file.write_text("\n".join([*lines, f"{address} {host}"]) + "\n")

    def wire(self, state: str) -> None:
        """Cuts the wire (`down`) or mends it (`up`). Only root has a wire."""
        for space in self.spaces:
            name = f"hw{1 + self.spaces.index(space)}-{os.getpid()}"
            run("ip", "-n", space, "link", "set", name, state)

    def close(self) -> None:
        for space in self.spaces:
            run("ip", "netns", "del", space)
            (Path("/etc/netns") / space / "hosts").unlink()
            (Path("/etc/netns") / space).rmdir()


class Api(Person):
    """An owner who uses the API from the organisation's network, by curl."""

    def __init__(self, site: Site, roots: Path, link: str):
        self.site, self.roots = site, roots
        super().__init__(site.origin, link, "Otto")

    def try_to_sign_in(self, key=None, **wrong: object) -> Reply:
        ceremony = self.post("/api/sign-in/statement").expect()
        made = (key or self.key).sign(**({"challenge": challenge_of(ceremony)} | wrong))
        return self.post("/api/sign-in", answered(ceremony, made.to_json()) | {"grant": "bearer"})

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        sent = {**self.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
        more = ["-X", method, "-w", "\n%{http_code}"]
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            more += ["--data-binary", json.dumps(body)]
        text, status = self._curl(path, sent, *more).rsplit("\n", 1)
        return Reply(int(status), {}, text.encode())

    def save(self, path: str, file: Path) -> None:
        """Saves the body of a GET to a file, byte by byte."""
        self._curl(path, self.headers, "--fail", "-o", str(file))

    def _curl(self, path: str, headers: dict[str, str], *more: str) -> str:
        named = [part for name, text in headers.items() for part in ("-H", f"{name}: {text}")]
        command = ["curl", "-sS", "--cacert", self.roots, *named, *more, self.origin + path]
        done = self.site.run(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout


@dataclass(eq=False)
class Organisation:
    """A gateway, its owner Olga at a shell, its owner Otto at the API, and the people whom he invites."""

    site: Site
    folder: Path
    roots: Path
    offers: str = ""
    people: list[Guest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.data = self.folder / "gateway"
        self.start(self.data)
        self.api = Api(self.site, self.roots, self.set_up_link)
        self.owner = self.person("Olga", "owner")

    def start(self, data: Path) -> None:
        """Starts a gateway on `data`, and sets up a realm if there is none."""
        fresh = not data.exists()
        if fresh:
            data.mkdir(parents=True)
            for name in ["web.pem", "web.key"]:
                (data / name).write_bytes((self.folder / name).read_bytes())
            site = self.site
            (data / "hallway.toml").write_text(
                f'realm = "{site.realm}"\nlisten = "{site.address}:{site.port}"\n'
                f'public_url = "{site.origin}"\n'
                '[tls]\ncertificate = "web.pem"\nkey = "web.key"\n'
                f'[hall]\nlisten = "{site.address}:{site.hall_port}"\n'
                f'address = "{site.host}:{site.hall_port}"\npartners.ca = "{self.roots}"\n{self.offers}'
            )
        self.program = Program("serve", "--data", data, within=self.site.within)
        self.program.wait_for(SERVES)
        if fresh:
            self.set_up_link = self.program.wait_for(LINK)[0]
        self.program.wait_for(HALLS)

    def kill(self) -> None:
        self.program.process.kill()
        self.program.process.wait()

    def restart(self) -> None:
        """Kills the gateway and starts it again."""
        self.kill()
        self.start(self.data)

    def person(self, name: str, role: str = "member") -> Guest:
        """A new person with a software key."""
        link = self.api.act("people.invite", name=name, role=role)["link"]
        home = self.folder / name
        person = Guest(
            home, self.site.origin, link, within=self.site.within, HALLWAY_CA=str(self.roots)
        )
        self.people.append(person)
        return person

    def partners(self) -> dict[str, dict]:
        """Each partner, as the owner sees it."""
        return {row["realm"]: row for row in self.owner.json("hall", "partners")}

    def grants(self) -> list[dict]:
        """All grants, the newest first."""
        return self.api.get("/api/grants?limit=100").expect()["items"]

    def log_size(self) -> int:
        """The number of entries of the log. Every touch adds one."""
        return int(self.api.get("/log/checkpoint").body.split(b"\n")[1])

    def close(self) -> None:
        for person in self.people:
            for opened in person.opened:
                opened.process.kill()
                opened.process.wait()
        assert self.program.stop() == 0, "\n".join(self.program.lines)


class TwoRealms:
    """The organisations alpha, which has the data, and beta."""

    def __init__(self, folder: Path, offers: str = "", at_beta: str = ""):
        self.networks = Networks()
        self.authority = WebAuthority("Two organisations' web authority")
        roots = folder / "roots.pem"
        roots.write_bytes(self.authority.pem)
        made = []
        for site, offered in zip(self.networks.sites, [offers, at_beta], strict=True):
            place = folder / site.realm
            place.mkdir()
            self.authority.serve(site.host, place)
            made.append(Organisation(site, place, roots, offered))
        self.alpha, self.beta = made

    def join(self) -> None:
        """Alpha invites beta, and beta accepts."""
        invited = self.alpha.owner.json("hall", "invite", self.beta.site.origin)
        accepted = self.beta.owner.json("hall", "accept", invited["link"])
        assert accepted["state"] == "active", accepted

    def share(self, rights: list[str]) -> None:
        """Admits everybody of beta to alpha's hall."""
        guest = {"visitor": {"realm": self.beta.site.realm, "whom": {"role": "member"}}}
        self.alpha.api.act("hall.admit", hall=HALL, guest=guest, rights=rights)

    def close(self) -> None:
        try:
            for organisation in [self.alpha, self.beta]:
                organisation.close()
        finally:
            self.networks.close()
