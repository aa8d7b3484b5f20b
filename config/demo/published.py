"""Rows with the counts of published studies, entered as files of a data manager.

Counts only are published. Luo 2019: the cells of each 2 x 2 table are the one integer solution
of the published rates and P; which patient is which across regions is simulated. The patients of
the esophageal lesions are simulated too. Zheng: 15 of 23 is the smallest count that rounds to
the published 65.2 %; which of the other eight is unilateral by which method is simulated.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from config.demo.accounts import user_of
from reporting.reports import literature
from trials.models import Patient, Site, Trial, User
from trials.roles import Role
from trials.services import form_imports, patients

DEFINITION = Path(__file__).with_name("published.yaml")
SITE = "301"
PAIR, SIDE = "imported_tracer_pair", "imported_lateralisation"
WORDS = {True: "POSITIVE", False: "NEGATIVE", None: "ND"}
SIDES = {"U": "UNILATERAL", "B": "BILATERAL", "": "ND"}
# Both, first alone, second alone, neither.
MARROW = ((1, 1),) * 9 + ((0, 1),) + ((1, 0),) * 7
NODES = ((1, 1),) * 2 + ((1, 0),) * 11 + ((0, 0),) * 4
OVERALL = ((1, 1),) * 10 + ((1, 0),) * 7
ESOPHAGUS = ((1, 1),) * 14 + ((0, 1),) * 5 + ((1, 0),) * 7
ESOPHAGUS_PATIENTS = 10
# PET, sampling, final diagnosis.
YIN = ("UUU",) * 13 + ("UBU",) * 4 + ("BUU",) * 2 + ("BBB",) * 7
ZHENG = ("UU",) * 10 + ("BB",) * 5 + ("UB",) * 5 + ("BU",) * 3
Rows = Iterator[tuple[str, dict[str, Any]]]


def build(trial: Trial, *, coordinator: User, data_manager: User) -> int:
    """Register a patient for each of the studies' and enter their rows; how many patients."""
    site = trial.sites.get(code=SITE)
    if site.patients.exists():
        return site.patients.count()
    known: dict[str, Patient] = {}
    for form, rows in ((PAIR, list(_pairs())), (SIDE, list(_sides()))):
        for name in dict.fromkeys(name for name, _ in rows):
            known[name] = _registered(site, len(known), coordinator)
        _enter(trial, form, [(known[name], row) for name, row in rows], data_manager)
    return len(known)


def _registered(site: Site, number: int, by: User) -> Patient:
    return patients.register(
        site, sex_at_birth="FM"[number % 2], birth=str(1940 + number % 40), by=by
    )


def _pairs() -> Rows:
    for level, region, pairs in (
        ("PATIENT", "whole body", OVERALL),
        ("REGION", "bone marrow", MARROW),
        ("REGION", "lymph nodes", NODES),
    ):
        for number, pair in enumerate(pairs):
            yield f"WM{number}", _pair(literature.WALDENSTROM, level, region, pair)
    for number, pair in enumerate(ESOPHAGUS):
        name = f"EC{number % ESOPHAGUS_PATIENTS}"
        yield name, _pair(literature.ESOPHAGUS, "LESION", "not published", pair)
    for number in range(10):
        yield f"SC{number}", _pair(literature.SCLC, "PATIENT", "whole body", (number < 8, None))


def _pair(study: str, level: str, region: str, pair: tuple) -> dict[str, Any]:
    first, second = (None if one is None else bool(one) for one in pair)
    return {
        "study": study,
        "level": level,
        "region": region,
        "first_tracer": "Pentixafor",
        "first_result": WORDS[first],
        "second_tracer": "FDG",
        "second_result": WORDS[second],
        "linkage": "SIMULATED",
    }


def _sides() -> Rows:
    for study, cases in ((literature.YIN, YIN), (literature.ZHENG, ZHENG)):
        for number, case in enumerate(cases):
            pet, avs, truth = (SIDES[one] for one in (*case, "")[:3])
            cells = "STATED" if study == literature.YIN else "SIMULATED"
            row = {"study": study, "pet": pet, "avs": avs, "truth": truth, "cells": cells}
            yield f"{study}{number}", row


def _enter(
    trial: Trial, form: str, rows: list[tuple[Patient, Mapping[str, Any]]], by: User
) -> None:
    """One file, as the page of imports takes it; what it refuses is said by line."""
    text = io.StringIO()
    names = list(rows[0][1])
    writer = csv.DictWriter(text, ["patient", "repeat", *names], lineterminator="\n")
    writer.writeheader()
    count: dict[str, int] = {}
    for patient, row in rows:
        key = patient.identifier
        count[key] = count.get(key, 0) + 1
        writer.writerow({"patient": key, "repeat": count[key], **row})
    planned = form_imports.receive(
        trial,
        form=form,
        content=text.getvalue().encode(),
        file_name=f"{form}.csv",
        source="published counts",
        import_id=form,
        by=by,
        reading={"missing": "ND=ND: not published"},
        at_once=True,
    )
    form_imports.confirm(planned, digest=planned.plan_sha256, by=by, at_once=True)


def people() -> dict[str, User]:
    """Who registers and who enters, of the accounts of the demonstration."""
    return {
        "coordinator": user_of(Role.COORDINATOR, SITE),
        "data_manager": user_of(Role.DATA_MANAGER),
    }
