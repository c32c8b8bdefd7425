"""psql of one organisation reaches a database of another one, by one touch at home."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hall_place import HALL, free_port, service
from postgres_server import postgres
from two_realms import TwoRealms

SUM = "select sum(n) from generate_series(1, 100000) n"


@pytest.fixture
def realms(tmp_path: Path) -> Iterator[TwoRealms]:
    # The port is chosen before the network namespaces exist.
    port = free_port()
    made = TwoRealms(tmp_path, service("db", port))
    try:
        with postgres(tmp_path / "alpha-database", port, made.alpha.site.within):
            made.alpha.api.act("hall.create", hall=HALL, title="The laboratory")
            made.join()
            made.share(["connect:db"])
            yield made
    finally:
        made.close()


def test_psql_reaches_a_partners_database(realms: TwoRealms):
    alpha, beta = realms.alpha, realms.beta
    there = f"{alpha.site.realm}/{HALL}"
    ada = beta.person("Ada")
    port = free_port()
    opened = ada.open("--bind", f"db={port}", hall=there)
    assert opened.address("db") == ("127.0.0.1", port)

    def psql(*commands: str):
        words = [part for command in commands for part in ("-c", command)]
        return beta.site.run("psql", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-At",
                             "-v", "ON_ERROR_STOP=1", *words)  # fmt: skip

    asked = psql(SUM)
    assert (asked.stdout.strip(), asked.returncode) == ("5000050000", 0), asked.stderr
    # Data goes both ways in one session, and a later session finds it.
    kept = psql("create table sample (n int, words text)",
                "insert into sample select n, repeat('x', 1000) from generate_series(1, 5000) n",
                "select count(*), sum(length(words)) from sample")  # fmt: skip
    assert kept.stdout.splitlines()[-1] == "5000|5000000", kept.stdout + kept.stderr
    assert psql("select max(n) from sample").stdout.strip() == "5000"
    # Alpha ends the grant, and psql can't reach the database any more.
    grant = next(grant for grant in alpha.grants() if grant["hall"] == HALL)
    alpha.api.act("hall.end", grant=grant["id"])
    opened.wait_for("ended")
    assert psql(SUM).returncode != 0
