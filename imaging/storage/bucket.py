"""Files by SHA-256 in an S3 bucket, of Amazon or of any server that speaks the same.

An object is there whole or not at all; that it is what was sent is not taken from the server's
word: it counts as stored once it was read back and has its digest. Reading back leaves the copy
that the next step of the work reads. Imported only where the settings name a bucket.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError
from django.core.files import File
from storages.backends.s3 import S3Storage

from imaging.storage.cache import Cache
from imaging.storage.places import (
    INCOMING,
    Arrived,
    Content,
    Entry,
    MisconfiguredError,
    StorageError,
    UnreachableError,
    incoming,
    name_of,
    verified,
)

CHUNK_BYTES = 2**20
# Names asked for at once, the most that S3 gives.
PAGE = 1000
CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 3
AT_ONCE = 8
GONE = {"NoSuchKey", "NoSuchVersion"}
REFUSED = {
    "403",
    "AccessDenied",
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
# Another region has the bucket, or another server the bucket's name.
ELSEWHERE = {"301", "AuthorizationHeaderMalformed", "InvalidBucketName", "PermanentRedirect"}
# What some servers don't know; then they have nothing to tell of it.
NOT_DONE = {"NotImplemented", "MethodNotAllowed"}


@dataclass(frozen=True)
class Bucket:
    """A place in a bucket, below the prefix of the settings and the name of the store.

    The address is the settings': name, prefix, endpoint and region; no endpoint is Amazon's.
    """

    address: Any
    store: str
    cache: Cache

    def write(self, chunks: Iterable[bytes]) -> tuple[str, int]:
        with incoming(self.cache.folder, chunks) as arrived:
            return self._sent(arrived)

    def write_all(self, files: Iterable[Content]) -> list[tuple[str, int]]:
        return [self._kept(one) if isinstance(one, Arrived) else self.write(one) for one in files]

    def _kept(self, arrived: Arrived) -> tuple[str, int]:
        if not arrived.path.exists() and self.size(arrived.sha256) == arrived.size:
            return arrived.sha256, arrived.size
        kept = self._sent(arrived)
        arrived.path.unlink()
        return kept

    def _sent(self, arrived: Arrived) -> tuple[str, int]:
        with arrived.path.open("rb") as file, self._told():
            self._s3.save(name_of(arrived.sha256), File(file))
        self._confirm(arrived.sha256)
        return arrived.sha256, arrived.size

    def _confirm(self, sha256: str) -> None:
        """Read it back: what does not come back as it was sent was not stored."""
        try:
            came = self.cache.add(self._chunks(name_of(sha256)))
        except FileNotFoundError as error:
            raise StorageError(f"the bucket took {sha256[:12]} and has it not") from error
        if came != sha256:
            self.cache.discard(came)
            raise StorageError(f"{sha256[:12]} did not come back from the bucket as it was sent")

    def read(self, sha256: str) -> bytes:
        copy = self.cache.read(sha256)
        return self._fetched(sha256, self._client) if copy is None else copy

    def _fetched(self, sha256: str, client: Any) -> bytes:
        data = verified(b"".join(self._chunks(name_of(sha256), client)), sha256)
        self.cache.add([data])
        return data

    def bring(self, digests: Iterable[str]) -> None:
        """Several at once: the way to a server is long rather than narrow.

        What is lost or changed is for the reader to find, who asks for it by name.
        """
        # A client may be shared by threads; each of them making its own takes longer than the way.
        client = self._client

        def bring(sha256: str) -> None:
            try:
                self._fetched(sha256, client)
            except UnreachableError:
                raise
            except (OSError, StorageError):
                return

        with ThreadPoolExecutor(AT_ONCE) as pool:
            deque(pool.map(bring, [one for one in digests if not self.cache.has(one)]), maxlen=0)

    def path(self, sha256: str) -> Path:
        self.read(sha256)
        path = self.cache.path(sha256)
        if not path.exists():
            raise StorageError(f"{sha256[:12]} is larger than the cache may hold")
        return path

    def size(self, sha256: str) -> int | None:
        """Asked of the list: to the question for one object a missing bucket says only 404."""
        key = self._key(name_of(sha256))
        return {one["Key"]: one["Size"] for one in self._first(key)}.get(key)

    def _first(self, prefix: str) -> list[Mapping[str, Any]]:
        """The first of those with a prefix."""
        with self._told():
            found = self._client.list_objects_v2(**self._at(Prefix=prefix, MaxKeys=1))
        return self._listed(found)

    def _listed(self, page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What a page lists; without the bucket's name any page of any server is an empty list."""
        if page.get("Name") != self.address.name:
            raise self._no_s3()
        return page.get("Contents", [])

    def remove(self, sha256: str) -> None:
        """Every version of it, for a bucket that keeps versions would keep the images."""
        self.cache.discard(sha256)
        name = name_of(sha256)
        with self._told():
            self._s3.delete(name)
            for version in self._versions(name):
                self._client.delete_object(**self._at(Key=self._key(name), VersionId=version))
        if self.size(sha256) is not None or any(self._versions(name)):
            raise StorageError(f"the bucket keeps {sha256[:12]}, though it was told to remove it")

    def _versions(self, name: str) -> list[str]:
        """The versions that a bucket keeps of an object, marks of a removal among them."""
        try:
            with self._told():
                pages = self._pages("list_object_versions", Prefix=self._key(name))
                return [
                    one["VersionId"]
                    for page in pages
                    for one in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
                    if one["Key"] == self._key(name)
                ]
        except NotDoneError:
            return []

    def entries(self) -> Iterator[Entry]:
        with self._told():
            for page in self._pages("list_objects_v2", Prefix=self._key("")):
                for one in self._listed(page):
                    name = one["Key"].removeprefix(self._key(""))
                    yield Entry(name, one["Size"], one["LastModified"].timestamp())
        yield from self._unfinished()

    def _unfinished(self) -> Iterator[Entry]:
        """Parts of what was never sent whole: nobody can read them, but they lie there."""
        try:
            with self._told():
                for page in self._pages("list_multipart_uploads", Prefix=self._key("")):
                    for one in page.get("Uploads", ()):
                        begun = one["Initiated"].timestamp()
                        yield Entry(f"{INCOMING}{one['UploadId']}", 0, begun, is_file=False)
        except NotDoneError:
            return

    def digest(self, name: str) -> str:
        digest = hashlib.sha256()
        for chunk in self._chunks(name):
            digest.update(chunk)
        return digest.hexdigest()

    def ask(self) -> None:
        """Whether the bucket is there and lets us look into it; an error says what is wrong."""
        self._first(self._key(""))

    def _chunks(self, name: str, client: Any = None) -> Iterator[bytes]:
        with self._told():
            body = (client or self._client).get_object(**self._at(Key=self._key(name)))["Body"]
            with body:
                yield from body.iter_chunks(CHUNK_BYTES)

    @property
    def _s3(self) -> S3Storage:
        return _connected(self.address, self._root, os.getpid())

    @property
    def _client(self) -> Any:
        """A client of this thread, as django-storages keeps it."""
        return self._s3.connection.meta.client

    @property
    def _root(self) -> str:
        return f"{self.address.prefix}/{self.store}".lstrip("/")

    def _key(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _at(self, **more: object) -> dict[str, object]:
        return {"Bucket": self.address.name} | more

    def _pages(self, what: str, **more: object) -> Iterator[Mapping[str, Any]]:
        return iter(
            self._client.get_paginator(what).paginate(
                **self._at(**more), PaginationConfig={"PageSize": PAGE}
            )
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What went wrong with the server, in a sentence of ours."""
        try:
            yield
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise MisconfiguredError(
                f"No credentials for the bucket {self.address.name}: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or another source that boto3 knows."
            ) from error
        except ClientError as error:
            raise self._answered(error) from error
        except ResponseParserError as error:
            raise self._no_s3() from error
        except (BotoCoreError, Boto3Error) as error:
            raise UnreachableError(
                f"The server of the bucket {self.address.name} does not answer "
                f"({type(error).__name__}). Try again later."
            ) from error

    def _answered(self, error: ClientError) -> Exception:
        code = error.response.get("Error", {}).get("Code", "")
        name = self.address.name
        if code in GONE:
            return FileNotFoundError(code)
        if code in NOT_DONE:
            return NotDoneError(code)
        if code == "NoSuchBucket":
            return MisconfiguredError(f"There is no bucket {name}: look at TRIALTRACE_ARCHIVE.")
        if code in ELSEWHERE:
            return MisconfiguredError(
                f"The bucket {name} lies elsewhere ({code}): look at TRIALTRACE_S3_REGION and "
                "TRIALTRACE_S3_ENDPOINT."
            )
        # A server that speaks S3 says NoSuchKey.
        if code == "404":
            return self._no_s3()
        if code in REFUSED:
            return MisconfiguredError(
                f"The bucket {name} refuses us ({code}): look at the credentials and their rights."
            )
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            return UnreachableError(
                f"The server of the bucket {name} is at fault ({code}). Try again later."
            )
        return OSError(f"the bucket {name} gives no object: {code}")

    def _no_s3(self) -> MisconfiguredError:
        return MisconfiguredError(
            f"What should have the bucket {self.address.name} does not speak S3: look at "
            "TRIALTRACE_S3_ENDPOINT."
        )


class NotDoneError(Exception):
    """A question that this server does not know."""


@lru_cache
def _connected(address: Any, root: str, _process: int) -> S3Storage:
    """One for each process: a connection must not be shared with a fork."""
    return S3Storage(
        bucket_name=address.name,
        location=root,
        endpoint_url=address.endpoint or None,
        region_name=address.region or None,
        file_overwrite=True,
        default_acl=None,
        transfer_config=TransferConfig(use_threads=False),
        client_config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=2 * AT_ONCE,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            # A server of one's own seldom has a host name for each bucket.
            s3={"addressing_style": "path" if address.endpoint else "auto"},
            # Checksums of newer kinds are not known to every server; ours is the read back.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
