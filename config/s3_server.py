"""A real S3 API server on loopback, moto's, as a process: for the tests and the bench."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path

import boto3

from config.embedded.processes import ending_with
from config.env import Bucket

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / ".venv" / "s3" / "bin" / "moto_server"
MISSING = "no S3 server: make setup-dev installs moto into .venv/s3"
START_SECONDS = 60
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test-secret-of-nobody",
    # Where there are none, nobody is to be asked for them over the network.
    "AWS_EC2_METADATA_DISABLED": "true",
}


class S3Server:
    """A server with one bucket; what it holds is gone when it is stopped."""

    def __init__(self) -> None:
        self.port = _free_port()
        self.process: subprocess.Popen | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> S3Server:
        self.process = subprocess.Popen(  # noqa: S603  ours
            [PROGRAM, "--host", "127.0.0.1", "--port", str(self.port)],
            env={},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=ending_with(),
        )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the S3 server did not start")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def bucket(self, name: str, *, keeps_versions: bool = False):
        """A new, empty bucket, asked without our code."""
        s3 = boto3.resource(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        made = s3.create_bucket(Bucket=name)
        if keeps_versions:
            made.Versioning().enable()
        return made

    def address(self, bucket: str, prefix: str = "trials/one") -> Bucket:
        return Bucket(bucket, prefix, self.endpoint, "us-east-1")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        return False


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]
