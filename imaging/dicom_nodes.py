"""Who may send over DICOM's own network protocol: names and addresses, and how they are held.

A node is what a scanner or an archive calls: its called AE title says for which site images
are. An AE title is no secret and anybody can claim one, so the address counts as well, and a
node that names no address is reached from this machine alone.

References
----------
DICOM PS3.5 6.2, AE: at most 16 characters of the default repertoire without backslash and
control characters, spaces at either end without meaning. PS3.8 9.3.4, table 9-21: the reasons
of an A-ASSOCIATE-RJ.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_AE_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e]([\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an association is refused: what the caller is told, and a sentence for the log."""

    result: int
    source: int
    diagnostic: int
    message: str


CALLED_UNKNOWN = Rejection(1, 1, 7, "no node is registered under the called AE title")
CALLED_RETIRED = Rejection(1, 1, 7, "the node called is retired")
SITE_NOT_SENDING = Rejection(1, 1, 1, "the site of the node called is suspended or closed")
CALLING_UNKNOWN = Rejection(1, 1, 3, "the calling AE title is not among those of the node")
ADDRESS_UNKNOWN = Rejection(1, 1, 1, "the address is not among those of the node")
BUSY = Rejection(2, 3, 1, "the register of nodes can't be read now")


def is_ae_title(text: str) -> bool:
    r"""Whether `text` is an AE title without spaces at its ends.

    >>> is_ae_title("PETCT 1"), is_ae_title("A" * 17), is_ae_title("A\\B"), is_ae_title(" ")
    (True, False, False, False)
    """
    return _AE_TITLE.fullmatch(text) is not None


def network(text: str) -> Network:
    """An address or a network; ValueError if it is neither.

    >>> str(network("10.1.2.3")), str(network("10.1.0.0/16"))
    ('10.1.2.3/32', '10.1.0.0/16')
    """
    return ip_network(text.strip())


def is_within(address: str, networks: Sequence[str]) -> bool:
    """Whether `address` lies in one of `networks`; without any, whether it is this machine's.

    >>> is_within("127.0.0.1", []), is_within("10.0.0.7", [])
    (True, False)
    >>> is_within("10.0.0.7", ["10.0.0.0/24"]), is_within("::ffff:10.0.0.7", ["10.0.0.0/24"])
    (True, True)
    """
    found = ip_address(address)
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if not networks:
        return found.is_loopback
    return any(found in network(one) for one in networks)


def rejection(
    *,
    is_active: bool,
    calling: str,
    address: str,
    calling_ae_titles: Sequence[str],
    allowed_addresses: Sequence[str],
) -> Rejection | None:
    """Why a caller is not let in to a node, or None.

    >>> node = {"is_active": True, "calling_ae_titles": ["PET1"], "allowed_addresses": []}
    >>> rejection(calling="PET1", address="127.0.0.1", **node) is None
    True
    >>> rejection(calling="PET2", address="127.0.0.1", **node).diagnostic
    3
    """
    if not is_active:
        return CALLED_RETIRED
    if not is_within(address, allowed_addresses):
        return ADDRESS_UNKNOWN
    if calling_ae_titles and calling not in calling_ae_titles:
        return CALLING_UNKNOWN
    return None
