"""DICOM nodes of a site: registered, changed and retired by people, and asked who may send.

The mistake to fear is a scanner's images at another site, so a called AE title is given once.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import IntegrityError
from django.utils import timezone

from imaging import dicom_nodes
from imaging.dicom_nodes import Rejection
from imaging.models import DicomContact, DicomNode
from trials import permissions
from trials.models import Site, User
from trials.services import audit, sites
from trials.services.errors import Invalid, Refused

MOST = 50


def register(
    site: Site,
    *,
    called_ae_title: str,
    by: User,
    calling_ae_titles: Iterable[str] = (),
    allowed_addresses: Iterable[str] = (),
) -> DicomNode:
    """Give a site a name that its scanners and archives call."""
    permissions.require(by, "scanner.manage", site)
    called = _ae_title("called_ae_title", called_ae_title)
    lists = _lists(calling_ae_titles, allowed_addresses)
    try:
        with audit.action("node.registered", actor=by, reason=called, trial=site.trial_id):
            return DicomNode.objects.create(
                site=site, called_ae_title=called, registered_by=by, **lists
            )
    except IntegrityError as error:
        raise Refused(
            "registered-already",
            f"The AE title {called} is taken, or was once: choose another for this site.",
        ) from error


def change(
    node: DicomNode,
    *,
    calling_ae_titles: Iterable[str],
    allowed_addresses: Iterable[str],
    reason: str,
    by: User,
) -> DicomNode:
    """Say anew who may call a node and from where."""
    permissions.require(by, "scanner.manage", node)
    audit.require_reason(reason)
    lists = _lists(calling_ae_titles, allowed_addresses)
    with audit.action("node.changed", actor=by, reason=reason, trial=node.site.trial_id):
        locked = _active(node)
        for name, value in lists.items():
            setattr(locked, name, value)
        locked.save(update_fields=list(lists))
    return locked


def retire(node: DicomNode, *, reason: str, by: User) -> DicomNode:
    """Let nobody in at a node any more; what was sent stays."""
    permissions.require(by, "scanner.manage", node)
    audit.require_reason(reason)
    with audit.action("node.retired", actor=by, reason=reason, trial=node.site.trial_id):
        locked = _active(node)
        locked.is_active = False
        locked.save(update_fields=["is_active"])
    return locked


def admit(*, called: str, calling: str, address: str) -> tuple[Site | None, Rejection | None]:
    """The site a caller may send to, or why it may not; noted as the node's last contact."""
    node = DicomNode.objects.select_related("site").filter(called_ae_title=called).first()
    if node is None:
        return None, dicom_nodes.CALLED_UNKNOWN
    rejection = dicom_nodes.rejection(
        is_active=node.is_active,
        calling=calling,
        address=address,
        calling_ae_titles=node.calling_ae_titles,
        allowed_addresses=node.allowed_addresses,
    ) or (dicom_nodes.SITE_NOT_SENDING if node.site_id in sites.not_sending() else None)
    DicomContact.objects.update_or_create(
        node=node,
        defaults={
            "at": timezone.now(),
            "calling_ae_title": calling[:16],
            "address": address[:45],
            "refusal": rejection.message if rejection else "",
        },
    )
    return (None, rejection) if rejection else (node.site, None)


def _active(node: DicomNode) -> DicomNode:
    locked = DicomNode.objects.select_for_update().get(pk=node.pk)
    if not locked.is_active:
        raise Refused("retired-already", f"{locked} is retired: register another AE title.")
    return locked


def _lists(titles: Iterable[str], addresses: Iterable[str]) -> dict[str, list[str]]:
    found = {
        "calling_ae_titles": [_ae_title("calling_ae_titles", one) for one in titles],
        "allowed_addresses": [_network(one) for one in addresses],
    }
    for field, values in found.items():
        if len(values) > MOST:
            raise Invalid(field, f"At most {MOST}; name a network, or let any title call.")
    return {field: list(dict.fromkeys(values)) for field, values in found.items()}


def _ae_title(field: str, text: str) -> str:
    title = text.strip(" ")
    if not dicom_nodes.is_ae_title(title):
        raise Invalid(
            field,
            f"{title[:40]!r} is no AE title: 1 to 16 letters, digits, spaces or signs, and no "
            "backslash.",
        )
    return title


def _network(text: str) -> str:
    try:
        return str(dicom_nodes.network(text))
    except ValueError as error:
        raise Invalid(
            "allowed_addresses",
            f"{text.strip()[:60]!r} is no address and no network: write 10.1.2.3 or 10.1.2.0/24.",
        ) from error
