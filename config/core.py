"""SDTM held to CDISC's own rules and terminology: `python -m config.core FOLDER | EXPORT.zip`.

CDISC CORE runs in an environment of its own, since it needs Python 3.12; its rules, the metadata of
the guide and the terminology lie beside the reference data, in `../cdisc`, and are no part of the
product. What it finds and is none of our mistakes stands in ACCEPTED, each with its reason;
anything else fails.

ADaM is not held to CORE: its 430 rules here are of SDTMIG 3.4, none of ADaMIG, and the package has
the engine alone, its rules being had from CDISC's library with a key. What stands in for it is the
guide's own list of variables (tests/reporting/test_adam.py) and the schema of define.xml.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-core" / "bin" / "python"
DEFINE = "define.xml"
RULES_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Finding:
    """What CORE says of a dataset, or the look at its terminology of a variable."""

    rule: str
    dataset: str
    count: int
    message: str

    def __str__(self) -> str:
        return f"{self.rule} {self.dataset}: {self.count} × {self.message}"


# By rule and dataset, or by rule alone.
ACCEPTED: dict[tuple[str, str], str] = {
    ("CORE-000191", "DM"): "enrolled and not injected yet: there is no reference period to end",
    ("CORE-000701", ""): "no epoch where the date does not tell: before the consent, or to the day "
    "of the injection without a time; a test asks that no other is empty",
    (
        "CORE-000726",
        "DM",
    ): "the form offers both choices, and NOT REPORTED of the list "
    "where the law of a site or a patient has it not asked",
    ("CORE-000741", "TS"): "the rule asks for PCLASS, which the terminology calls PCLAS",
    ("CORE-000767", "PR"): "the rule compares with FA, which there is none of",
    ("CORE-001043", "DM"): "an age that the year of birth, or no consent, does not tell",
    ("CT-ERROR", "AE.AEDECOD"): "events are not coded: MedDRA is licensed and not in the record",
    ("CORE-000356", "AE"): "AEDECOD: events are not coded, see CT-ERROR AE.AEDECOD",
    ("CORE-000365", "MH"): "the rule takes a category with one value for none",
}
# What the terminology lists as an extension of one of its lists, which it allows.
EXTENDS = "NOTE"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check a folder of XPT files and define.xml, or the folder sdtm/ of an export."""
    parser = argparse.ArgumentParser(prog="python -m config.core", description=__doc__)
    parser.add_argument("path", type=Path, help="a folder of XPT files, or an export's zip")
    path: Path = parser.parse_args(arguments).path
    if reason := why_not():
        print(f"CDISC CORE does not run: {reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                names = [one for one in archive.namelist() if one.startswith("sdtm/")]
                archive.extractall(folder, names)
            path = Path(folder) / "sdtm"
        if not (path / DEFINE).exists():
            print(f"{path} has no {DEFINE}, which some rules are about", file=sys.stderr)
            return 2
        found = [*findings(path), *terms(path)]
    unexpected = [one for one in found if not is_accepted(one)]
    for one in found:
        print(f"{'UNEXPECTED' if one in unexpected else 'accepted  '} {one}")
    print(f"{len(unexpected)} unexpected of {len(found)}")
    return 1 if unexpected else 0


def why_not() -> str:
    """What CORE lacks here; empty if it runs."""
    if not PYTHON.exists():
        return f"{PYTHON} is missing. `make core-setup` makes it, and needs Python 3.12."
    if not (cdisc() / "run_core.py").exists():
        return f"{cdisc()} is missing. Set TRIALTRACE_REFERENCE_DATA to the data beside it."
    return ""


def cdisc() -> Path:
    """Where CDISC's rules and terminology lie."""
    data = os.environ.get("TRIALTRACE_REFERENCE_DATA", ROOT.parent / "shared" / "data")
    return Path(data).resolve().parent / "cdisc"


def findings(folder: Path, rules: Sequence[str] = ()) -> list[Finding]:
    """What CORE finds in a folder of XPT files and define.xml, by these rules or by all."""
    with tempfile.TemporaryDirectory() as results:
        report = Path(results) / "report.json"
        command: list[str | Path] = [PYTHON, cdisc() / "run_core.py", folder, report]
        if (folder / DEFINE).exists():
            command += ["--define", folder / DEFINE]
        if rules:
            command += ["--rules", ",".join(rules)]
        _run(command)
        return list(_findings(json.loads(report.read_text())))


def terms(folder: Path) -> list[Finding]:
    """Values that are not in CDISC's terminology, and required variables that lack one."""
    said = _run([PYTHON, cdisc() / "ct_check.py", folder])
    found = []
    for line in said.splitlines()[:-1]:
        kind, _, message = line.partition(" ")
        if kind != EXTENDS:
            variable, _, rest = message.strip().partition(":")
            found.append(Finding(f"CT-{kind}", variable, 1, rest.strip()))
    return found


def is_accepted(finding: Finding) -> bool:
    """Whether a finding is none of our mistakes."""
    keys = ((finding.rule, finding.dataset), (finding.rule, ""))
    return any(key in ACCEPTED for key in keys)


def _findings(report: list[dict]) -> Iterator[Finding]:
    for rule in report:
        for one in rule["results"]:
            status, errors = one.get("executionStatus"), one.get("errors") or []
            is_broken = status in ("crash", "execution error")
            if is_broken or (status == "issue reported" and errors):
                yield Finding(
                    rule["rule"],
                    one.get("dataset") or "",
                    len(errors),
                    one.get("message") or rule["description"],
                )


def _run(command: Sequence[str | Path]) -> str:
    done = subprocess.run(  # noqa: S603  a program of the reference data, with paths of ours
        command, capture_output=True, text=True, timeout=RULES_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{command[1]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
