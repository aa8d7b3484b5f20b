"""Handing out the sealed list of a trial: to whom, why, and what it was is kept."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trials import permissions, randomisation, randomisation_list, stratification
from trials.models import (
    EVERY_SITE,
    Allocation,
    AuditEvent,
    ProtocolVersion,
    RandomisationListing,
    Trial,
    User,
)
from trials.randomisation_list import Given, Ratios
from trials.services import allocations, audit
from trials.services.errors import Invalid, Refused

# More than any trial has; the trial is held while they are written.
MOST_PLACES = 10_000
COLUMNS = (
    "scheme_sha256",
    "seed_sha256",
    "stratum",
    "block",
    "place",
    "slot",
    "sequence",
    "patient",
    "allocated_at",
)


@dataclass(frozen=True)
class Scheme:
    """What protocol versions with the same sequences and strata say, and the seed of their list."""

    stated: dict[str, Any]
    seed: bytes

    @property
    def ratios(self) -> Ratios:
        return [(one["identifier"], one.get("ratio", 1)) for one in self.stated["sequences"]]


@dataclass(frozen=True)
class SealedList:
    """The list as CSV, digests of its seeds by scheme, and what does not agree with it.

    What can't be compared is no mismatch: nobody sealed it when it was made.
    """

    text: str
    seed_sha256: dict[str, str]
    mismatches: tuple[str, ...]
    incomparable: tuple[str, ...]
    row: RandomisationListing


def draw(trial: Trial, *, reason: str, places: int = 0, by: User) -> SealedList:
    """Write out the list of a trial, with at least `places` of each stratum, and compare it.

    Whoever gets it holds no other role in the trial: the list tells every coming allocation.
    """
    # Of every site: whoever has the role at one would be told the coming allocations of all.
    if not by.may_for("randomisation.list", (trial.pk, EVERY_SITE)):
        raise permissions.refusal(by, "randomisation.list")
    audit.require_reason(reason)
    if not 0 <= places <= MOST_PLACES:
        raise Invalid("places", f"Give 0 to {MOST_PLACES} places of each stratum.")
    held = set(by.memberships.not_over().filter(trial=trial).values_list("role", flat=True))
    if len(held) > 1:
        raise Refused(
            "not-only-unblinded",
            "Who is given the sealed list holds no other role in the trial, now and later: let "
            "somebody else draw it.",
        )
    with audit.action("randomisation.listed", actor=by, reason=reason, trial=trial.pk):
        # No place is given while the list is held against those that were.
        trial = Trial.objects.select_for_update(no_key=True).get(pk=trial.pk)
        schemes = _schemes(trial)
        if not schemes:
            raise Refused("not-randomised", f"No protocol version of {trial} is randomised.")
        made = list(trial.allocations.select_related("patient", "version", "trial").order_by("pk"))
        rows = list(_rows(trial, schemes, made, places))
        unsealed = _made_before_seals(made)
        given = [_given(one, is_before_seals=str(one.pk) in unsealed) for one in made]
        found = tuple(
            randomisation_list.mismatches(
                given,
                seeds={key: one.seed for key, one in schemes.items()},
                ratios={key: one.ratios for key, one in schemes.items()},
            )
        )
        text = _csv(rows)
        row = RandomisationListing.objects.create(
            trial=trial,
            reason=reason.strip(),
            places=len(rows),
            list_sha256=hashlib.sha256(text.encode()).hexdigest(),
            mismatches=len(found),
            listed_by=by,
        )
    digests = {key: randomisation_list.seed_digest(one.seed) for key, one in schemes.items()}
    return SealedList(text, digests, found, tuple(randomisation_list.incomparable(given)), row)


def _made_before_seals(made: list[Allocation]) -> set[str]:
    """Keys of allocations whose row had no seal when it was inserted, as the trail has it."""
    return set(
        AuditEvent.objects.filter(
            table=Allocation._meta.db_table,
            row__in=[str(one.pk) for one in made if not one.seal],
            operation="I",
        )
        .exclude(after__has_key="seal")
        .values_list("row", flat=True)
    )


def _schemes(trial: Trial) -> dict[str, Scheme]:
    """The schemes of all protocol versions, by digest; what is only proposed is none."""
    found = {}
    for version in trial.versions.order_by("number"):
        if stated := allocations.stated(version):
            digest = randomisation.scheme_digest(stated)
            seed = randomisation.seed(bytes(trial.uid_key), trial=trial.identifier, scheme=digest)
            found[digest] = Scheme(dict(stated), seed)
    return found


def _rows(
    trial: Trial, schemes: dict[str, Scheme], made: list[Allocation], places: int
) -> Iterator[list[Any]]:
    taken = {(one.scheme_sha256, one.stratum, one.position): one for one in made}
    sites = list(trial.sites.order_by("code").values_list("code", flat=True))
    for digest, scheme in schemes.items():
        seed_sha256 = randomisation_list.seed_digest(scheme.seed)
        held = {one.stratum for one in made if one.scheme_sha256 == digest}
        strata = _strata(scheme, sites)
        for stratum in [*strata, *sorted(held - set(strata))]:
            number = max(
                (slot + 1 for key, name, slot in taken if (key, name) == (digest, stratum)),
                default=1,
            )
            for one in randomisation_list.listed(
                scheme.seed, stratum=stratum, ratios=scheme.ratios, places=max(number, places)
            ):
                given = taken.get((digest, stratum, one.slot - 1))
                yield [
                    digest,
                    seed_sha256,
                    stratum,
                    one.block,
                    one.place,
                    one.slot,
                    one.sequence,
                    given.patient.identifier if given else "",
                    given.allocated_at.isoformat() if given else "",
                ]


def _strata(scheme: Scheme, sites: list[str]) -> list[str]:
    levels = [
        [f"site={code}" for code in sites]
        if one["by"] == "site"
        else [f"{one['variable']}={level}" for level in one["levels"]]
        for one in scheme.stated.get("strata", ())
    ]
    return randomisation_list.strata_of(levels)


def _given(row: Allocation, *, is_before_seals: bool) -> Given:
    return Given(
        patient=row.patient.identifier,
        scheme=row.scheme_sha256,
        stratum=row.stratum,
        position=row.position,
        seal=row.seal,
        scheme_of_version=_scheme_of(row.version),
        stratum_of_values=stratification.stratum(row.strata) if row.strata else None,
        is_before_seals=is_before_seals,
        caps=randomisation.caps_of(row.version.definition.get("randomisation") or {}),
    )


def _scheme_of(version: ProtocolVersion) -> str:
    stated = version.definition.get("randomisation")
    return randomisation.scheme_digest(stated) if stated else ""


def _csv(rows: list[list[Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue()
