"""Exports by the number of patients: how long they take, and how much memory at most.

`make bench-patients`, beside a site that has the demonstration. Its database is copied, and in the
copy each of its patients with all that hangs on them as often as it takes to have so many; the
site's own is only read. Each export is made by a process of its own, as a worker makes one. A line
for each is printed: seconds by the clock, of them those of the process itself, which others on the
machine do not prolong, and its peak memory. The exponent says how the latter seconds grow (1 is a
straight line), and a plot is drawn below the site's folder.
"""

from __future__ import annotations

import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import psycopg
from psycopg import sql

from config.embedded.postgres import BOOTSTRAP, DATABASE, RUNTIME, binaries
from config.embedded.supervisor import ROOT

TRIAL = "DEMO"
SIZES = (1000, 3000, 10_000)
GOAL_MB = 300
# What is ordered besides CSV.
ORDERS = {
    "CSV": (),
    "CSV, SDTM": ("sdtm-xpt",),
    "CSV, SDTM, ADaM": ("sdtm-xpt", "adam-xpt"),
}
COPY, STEP = "bench_patients", 10_000_000
APPS = ("trials_", "imaging_")


@dataclass(frozen=True)
class Made:
    """An export of so many patients."""

    order: str
    patients: int
    seconds: float
    cpu_seconds: float
    peak_mb: float


def main() -> int:
    if len(sys.argv) > 1:
        print(json.dumps(one(sys.argv[1])))
        return 0
    socket = parse_qs(urlsplit(os.environ.get("DATABASE_URL", "")).query).get("host", [""])[0]
    if not Path(socket).is_dir():
        raise SystemExit("Run this beside a site with its embedded database: make bench-patients.")
    found = []
    print(f"\n{'patients':>9}  {'export':20}{'seconds':>9}{'own':>9}{'peak MB':>9}", flush=True)
    for size in SIZES:
        with copied(socket, size):
            for order in ORDERS:
                found.append(measured(socket, order))
                last = found[-1]
                times = f"{last.seconds:>9.1f}{last.cpu_seconds:>9.1f}"
                print(f"{last.patients:>9,}  {order:20}{times}{last.peak_mb:>9.0f}", flush=True)
    for order in ORDERS:
        own = [one for one in found if one.order == order]
        exponent = slope(own)
        print(f"{order}: time grows with the power {exponent:.2f} of the patients")
    path = Path(os.environ["TRIALTRACE_VAR"]) / "exports-by-patients.svg"
    draw(found, path)
    print(f"plot: {path}")
    missed = [one for one in found if one.peak_mb > GOAL_MB]
    if missed:
        print(f"MISSED: over {GOAL_MB} MB")
    return 0


def slope(found: list[Made]) -> float:
    """The power of the number of patients by which time grows."""
    sizes, times = [one.patients for one in found], [one.cpu_seconds for one in found]
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


# ------------------------------------------------------------------------------ the copies


@contextmanager
def copied(socket: str, size: int) -> Iterator[None]:
    """A database with at least `size` patients of the demonstration, for as long as it is used."""
    address = {"PGHOST": socket, "PGUSER": BOOTSTRAP}
    environment = dict(os.environ) | address
    with psycopg.connect(_url(socket, BOOTSTRAP, "postgres"), autocommit=True) as server:
        server.execute(f"drop database if exists {COPY}")
        server.execute(f"create database {COPY}")
        try:
            # As a template it would have to be without connections, and the site has some.
            dump = subprocess.Popen(  # noqa: S603  PostgreSQL's own, with a name of ours
                [binaries() / "pg_dump", DATABASE], env=environment, stdout=subprocess.PIPE
            )
            load = [binaries() / "psql", "--quiet", "--set=ON_ERROR_STOP=1", COPY]
            with dump:
                subprocess.run(  # noqa: S603  PostgreSQL's own, as above
                    load, env=environment, stdin=dump.stdout, stdout=subprocess.DEVNULL, check=True
                )
            with psycopg.connect(_url(socket, BOOTSTRAP, COPY), autocommit=True) as connection:
                multiply(connection, size)
            yield
        finally:
            server.execute(f"drop database {COPY} with (force)")


def multiply(connection: psycopg.Connection, size: int) -> None:
    """Have so many patients: all rows that hang on one again, with numbers of their own."""
    keys = connection.execute(
        """
        select c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text
        from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        where c.contype = 'f' and c.connamespace = 'public'::regnamespace
        """
    ).fetchall()
    tables = _hanging_on("trials_patient", keys)
    own = connection.execute(
        "select count(*) from trials_patient p join trials_trial t on t.id = p.trial_id "
        "where t.identifier = %s",
        [TRIAL],
    ).fetchone()
    if not own or not own[0]:
        raise SystemExit("This site has no demonstration: make demo first.")
    times = math.ceil(size / own[0]) - 1
    # Copies share what a person has once, and no trail is kept of them.
    connection.execute("set session_replication_role = replica")
    _drop_uniqueness(connection, tables)
    for table in sorted(tables):
        disable = sql.SQL("alter table {} disable trigger all")
        connection.execute(disable.format(sql.Identifier(table)))
        shifted = {"id"} | {column for of, column, to in keys if of == table and to in tables}
        _copy(connection, table, shifted, times)
    connection.execute("analyze")


def _hanging_on(table: str, keys: list[tuple[str, str, str]]) -> set[str]:
    """The tables of ours whose rows are about a row of this one, over however many others."""
    found = {table}
    while more := {
        of for of, _, to in keys if to in found and of not in found and of.startswith(APPS)
    }:
        found |= more
    return found


def _drop_uniqueness(connection: psycopg.Connection, tables: set[str]) -> None:
    rows = connection.execute(
        """
        select name.relname, i.indrelid::regclass::text, c.conname
        from pg_index i join pg_class name on name.oid = i.indexrelid
        left join pg_constraint c on c.conindid = i.indexrelid and c.contype = 'u'
        where i.indisunique and not i.indisprimary
        """
    ).fetchall()
    for index, table, constraint in rows:
        if table in tables and constraint:
            drop = sql.SQL("alter table {} drop constraint {}")
            connection.execute(drop.format(sql.Identifier(table), sql.Identifier(constraint)))
        elif table in tables:
            connection.execute(sql.SQL("drop index {}").format(sql.Identifier(index)))


def _copy(connection: psycopg.Connection, table: str, shifted: set[str], times: int) -> None:
    columns = [
        name
        for (name,) in connection.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
            "and not attisdropped and attgenerated = ''",
            [table],
        )
    ]
    values = []
    for name in columns:
        column = sql.Identifier(name)
        if name in shifted:
            values.append(sql.SQL("{} + k * {}").format(column, STEP))
        elif table == "trials_patient" and name in ("identifier", "screening_number"):
            text = "case when {0} = '' then '' else {0} || '-' || k end"
            values.append(sql.SQL(text).format(column))
        else:
            values.append(column)
    copy = "insert into {} ({}) overriding system value select {} from {}, generate_series(1, {}) k"
    connection.execute(
        sql.SQL(copy).format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join(values),
            sql.Identifier(table),
            times,
        )
    )


def _url(socket: str, role: str, database: str) -> str:
    return f"postgresql://{role}@/{database}?host={socket}"


# ------------------------------------------------------------------------------ the exports


def measured(socket: str, order: str) -> Made:
    """An export that a process of its own made of the copy."""
    environment = dict(os.environ) | {"DATABASE_URL": _url(socket, RUNTIME, COPY)}
    words = [sys.executable, "-m", "config.bench_patients", order]
    done = subprocess.run(  # noqa: S603  this module, with an order of ours
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return Made(order, **json.loads(done.stdout.splitlines()[-1]))


def one(order: str) -> dict[str, float]:
    """Make an export of the trial in this process, and say what it took."""
    import django

    django.setup()
    from reporting.models import Export
    from reporting.services import freezing, snapshots
    from trials.models import Trial, User

    trial = Trial.objects.get(identifier=TRIAL)
    export = Export(
        pk=1,
        trial=trial,
        reason="bench",
        requested_by=User.objects.get(username="statistician"),
        formats=list(ORDERS[order]),
    )
    begun, worked = time.monotonic(), time.process_time()
    with tempfile.TemporaryFile() as file, snapshots.taken() as instant:
        freezing.write(file, export, instant, freezing.made_by(), lambda _: None)
    return {
        "patients": trial.patients.count(),
        "seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time() - worked,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def draw(found: list[Made], path: Path) -> None:
    """Seconds and memory over patients, a line for each order."""
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "exports-by-patients"
    figure, (times, memory) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for order, marker in zip(ORDERS, "os^", strict=True):
        own = [each for each in found if each.order == order]
        sizes = [each.patients for each in own]
        times.plot(sizes, [each.cpu_seconds for each in own], marker=marker, label=order)
        memory.plot(sizes, [each.peak_mb for each in own], marker=marker, label=order)
    memory.axhline(GOAL_MB, color="0.4", linestyle="--", linewidth=1)
    memory.annotate(f"goal: {GOAL_MB} MB", (0, GOAL_MB), (4, 3), textcoords="offset points")
    for axes, title, unit in (
        (times, "Time of the process", "s"),
        (memory, "Peak memory of the process", "MB"),
    ):
        axes.set(title=title, xlabel="Patients", ylabel=unit, xlim=(0, None), ylim=(0, None))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
    memory.set_ylim(0, GOAL_MB * 1.15)
    times.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
