"""An object store for one test: Garage, which speaks S3, with one bucket."""

import os
import subprocess
import threading
from pathlib import Path

import boto3
from gateway_process import ROOT
from hall_place import free_port

PROGRAM = ROOT / "target/garage/bin/garage"
REGION = "us-east-1"
ACCESS_KEY, SECRET_KEY = "GK" + "1f" * 12, "2e" * 32

CONFIGURATION = """
metadata_dir = "{folder}/meta"
data_dir = "{folder}/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_secret = "{secret}"
[s3_api]
s3_region = "{region}"
api_bind_addr = "127.0.0.1:{port}"
"""


class ObjectStore:
    """A running store with a bucket."""

    def __init__(self, folder: Path, bucket: str):
        assert PROGRAM.is_file(), f"{PROGRAM} is missing; `make test` builds it"
        folder.mkdir(parents=True)
        self.bucket, self.port = bucket, free_port()
        configuration = folder / "garage.toml"
        configuration.write_text(CONFIGURATION.format(
            folder=folder, rpc=free_port(), port=self.port, region=REGION, secret="3d" * 32,
        ))  # fmt: skip
        configuration.chmod(0o600)
        self.process = subprocess.Popen(
            [PROGRAM, "--config", configuration, "server", "--single-node", "--default-bucket"],
            stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True,
            env={
                **os.environ,
                "GARAGE_DEFAULT_ACCESS_KEY": ACCESS_KEY,
                "GARAGE_DEFAULT_SECRET_KEY": SECRET_KEY,
                "GARAGE_DEFAULT_BUCKET": bucket,
                "RUST_LOG": "garage=info",
            },
        )  # fmt: skip
        said = []
        for line in self.process.stdout:
            said.append(line)
            if "S3 API server listening" in line:
                break
        else:
            raise AssertionError("".join(said))
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        #: A client that looks into the bucket directly.
        self.s3 = boto3.client(
            "s3", endpoint_url=self.address, region_name=REGION,
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        )  # fmt: skip

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, table: str, secret: Path, address: str | None = None) -> str:
        """The configuration of a store in this bucket, under this table. Writes the secret to a file.
        `address` replaces the address of the store."""
        secret.write_text(f"{SECRET_KEY}\n")
        return (
            f'[{table}]\nendpoint = "{address or self.address}"\nregion = "{REGION}"\n'
            f'name = "{self.bucket}"\naccess_key = "{ACCESS_KEY}"\nsecret_key_file = "{secret}"\n'
        )

    def names(self) -> set[str]:
        """The names of all objects."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket)
        return {entry["Key"] for entry in listed.get("Contents", [])}

    def read(self, name: str) -> bytes:
        """The content of an object."""
        return self.s3.get_object(Bucket=self.bucket, Key=name)["Body"].read()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
