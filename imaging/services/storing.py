"""Storing over DICOMweb: what one STOW-RS request brings is kept in batches, as it comes.

Stored means held: in quarantine, on disk and in the ledger. What is thought of an image is
said there later. A request that breaks off leaves what came before; sent again, it is kept once.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field

from imaging import acceptance, file_meta, storage, store_response
from imaging.file_meta import FileMeta, FileMetaError
from imaging.models import Transmittal
from imaging.multipart import MalformedError, Part, TooBigError
from imaging.services import receiving
from imaging.storage import Arrived
from imaging.storage.places import incoming
from imaging.store_response import Failure, StoreResponse
from trials import permissions
from trials.models import ScheduledScan, SendingToken, Site, User
from trials.services import jobs, sites
from trials.services.errors import Refused, TooSlow

BATCH_FILES = 50
BATCH_BYTES = 32 * 2**20
# So many addresses are named to somebody who may send to several sites.
NAMED = 20
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

Source = Transmittal.Source
# Keeps a batch, or refuses it.
Keep = Callable[[Sequence[Arrived]], object]


def for_scan(scan: ScheduledScan, *, by: User) -> Keep:
    """Keeps files as images of one scheduled scan."""
    permissions.require(by, "images.upload", scan)
    return lambda files: receiving.take_in_for(scan, source=Source.STOW, files=files, by=by)


def for_site(site: Site, *, by: User) -> Keep:
    """Keeps files as sent to a site; a person says later whose images they are."""
    permissions.require(by, "images.upload", site)
    sites.require_sending(site)
    longest = Transmittal._meta.get_field("sender").max_length
    sender = by.username[:longest]
    return lambda files: receiving.take_in(
        site, source=Source.STOW, sender=sender, files=files, by=by
    )


def for_machine(token: SendingToken, *, site: int | None = None) -> Keep:
    """Keeps files that a machine sends by its token, to its site and no other."""
    if site not in {None, token.site_id}:
        raise Refused(
            "sending-token",
            f"This token sends images to site {token.site} alone: "
            f"/dicom-web/sites/{token.site_id}/studies.",
            status=403,
        )
    sites.require_sending(token.site)
    # No user name has a blank: what a person sends meanwhile is another transmittal.
    sender, by = f"machine {token.name}", jobs.system_user()
    return lambda files: receiving.take_in(
        token.site, source=Source.STOW, sender=sender, files=files, by=by
    )


def only_site(by: User) -> Site:
    """The one site that `by` may send to; whoever may send to several must name one."""
    sites = permissions.listed(Site.objects.select_related("trial"), by, "images.upload")
    found = list(sites.order_by("pk")[: NAMED + 1])
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refused("no-site", "The trial has no site yet that images could be sent to.")
    named = ", ".join(f"/dicom-web/sites/{site.pk}/studies ({site})" for site in found[:NAMED])
    raise Refused(
        "which-site",
        f"You may send to several sites, so name one by the address: {named}; "
        "or one scheduled scan: /dicom-web/scans/<number>/studies.",
    )


def store(parts: Iterable[Part], keep: Keep) -> StoreResponse:
    """Keep every part that is an image of a kind read here, and say what became of each.

    A refusal of the very first batch is raised; later ones are told image by image. A body that
    breaks off is refused too, after what it brought in whole was kept.
    """
    # Files are written to the disk while the next ones come.
    with ThreadPoolExecutor(storage.SYNCS_AT_ONCE, "sync") as syncs:
        delivery = _Delivery(keep, syncs)
        try:
            for part in parts:
                delivery.add(part)
            delivery.flush()
        except MalformedError as error:
            delivery.flush()
            raise _broken_off(error, len(delivery.stored)) from error
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise _no_room(len(delivery.stored)) from error
        finally:
            delivery.close()
    if not (delivery.stored or delivery.failures):
        raise Refused("no-files", "The body holds no part: send the images.", status=400)
    return StoreResponse(delivery.stored, delivery.failures)


def _broken_off(error: MalformedError, count: int) -> Refused:
    if isinstance(error.__cause__, TooSlow):
        return TooSlow(f"{error.__cause__.message}{_kept(count)}")
    is_too_big = isinstance(error, TooBigError)
    return Refused(
        "too-big" if is_too_big else "malformed",
        f"{error}{_kept(count)}",
        status=413 if is_too_big else 400,
    )


def _no_room(count: int) -> Refused:
    sentence = "The server has no room for more images: tell whoever keeps it, and send again."
    return Refused("no-room", f"{sentence}{_kept(count)}", status=507)


def _kept(count: int) -> str:
    return f" {count} images before are kept; what is sent again is kept once." if count else ""


@dataclass
class _Delivery:
    """The batch that grows, and what became of those before."""

    keep: Keep
    syncs: Executor
    stored: list[FileMeta] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    refusal: Refused | None = None
    _batch: list[tuple[FileMeta, Future[Arrived]]] = field(default_factory=list)
    _bytes: int = 0
    # Files that wait to be kept, gone when it is closed.
    _waiting: ExitStack = field(default_factory=ExitStack)

    def add(self, part: Part) -> None:
        with ExitStack() as waiting:
            file = waiting.enter_context(spooled(part))
            found = _judged(part, file)
            if isinstance(found, Failure):
                self.failures.append(found)
                return
            self._waiting.push(waiting.pop_all())
        self._batch.append((found, self.syncs.submit(storage.lasting, file)))
        self._bytes += file.size
        if len(self._batch) >= BATCH_FILES or self._bytes >= BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        batch = self._batch
        if not batch:
            return
        try:
            if self.refusal is None:
                self.keep([file.result() for _, file in batch])
        except Refused as refusal:
            if not self.stored:
                raise
            self.refusal = refusal
        finally:
            self.close()
        if self.refusal is None:
            self.stored += [meta for meta, _ in batch]
        else:
            self.failures += [Failure(_reason(self.refusal), meta) for meta, _ in batch]

    def close(self) -> None:
        self._waiting.close()
        self._batch, self._bytes = [], 0


def spooled(part: Part) -> AbstractContextManager[Arrived]:
    """A part as a file inside the quarantine, where a rename keeps it; gone otherwise."""
    return incoming(storage.quarantine.folder, part.pieces(receiving.MAXIMUM_FILE_BYTES))


def _judged(part: Part, file: Arrived) -> FileMeta | Failure:
    """What an image says it is, or why it is not taken: nothing behind its first group is read."""
    with file.path.open("rb") as content:
        head = content.read(file_meta.HEAD)
    try:
        meta = file_meta.file_meta(head)
    except FileMetaError:
        meta = None
    if part.is_too_long:
        return Failure(store_response.OUT_OF_RESOURCES, meta)
    if meta is None:
        return Failure(store_response.CANNOT_UNDERSTAND)
    if meta.sop_class_uid not in acceptance.MODALITIES:
        return Failure(store_response.SOP_CLASS_NOT_SUPPORTED, meta)
    if acceptance.verdict_on_encoding(meta.transfer_syntax_uid):
        return Failure(store_response.TRANSFER_SYNTAX_NOT_SUPPORTED, meta)
    return meta


def _reason(refusal: Refused) -> int:
    if refusal.code == "too-many-files":
        return store_response.OUT_OF_RESOURCES
    return store_response.PROCESSING_FAILURE
