"""Who assessed: readers by numbers of their own, in the words of EVAL and MEDEVAL."""

from __future__ import annotations

from dataclasses import dataclass

from reporting.sdtm.model import Source, Value

# Datasets that name who read.
READ = ("findings", "grown_ratios", "recist_lesions", "responses", "pairs")


@dataclass(frozen=True, slots=True)
class Assessors:
    """The readers of a trial, numbered in the order of the record, and which reads settle."""

    numbers: dict[int, int]
    adjudicating: frozenset[int]

    def of(self, domain: str, reader: int, read: int | None) -> dict[str, Value]:
        """--EVAL and --EVALID of one who read; whoever reads does so apart from the site."""
        if read in self.adjudicating:
            evaluator, role = "ADJUDICATOR", "ADJUDICATOR"
        else:
            evaluator, role = "INDEPENDENT ASSESSOR", "READER"
        return {
            f"{domain}EVAL": evaluator,
            f"{domain}EVALID": f"{role} {self.numbers[reader]}",
        }


def assessors(source: Source) -> Assessors:
    """All who read anything of a trial."""
    readers = set(source.readers)
    for dataset in READ:
        readers |= {row["reader"] for row in source.rows(dataset)}
    adjudicating = {row["read"] for row in source.rows("findings") if row["role"] == "adjudicator"}
    return Assessors(
        {one: number for number, one in enumerate(sorted(readers), 1)}, frozenset(adjudicating)
    )
