"""What measurements yield: rows of a table, and how rows become text."""

import dataclasses
import statistics


@dataclasses.dataclass
class Row:
    """One figure. `samples` are its repeated measurements where it is their median; `details` is anything else."""

    what: str
    value: float | None = None  # None: not measured, `note` says why
    unit: str = ""
    bound: float | None = None  # None: nothing is promised
    at_least: bool = False  # the bound is the least value, else the largest
    samples: list = dataclasses.field(default_factory=list)
    details: dict = dataclasses.field(default_factory=dict)
    note: str = ""

    @property
    def met(self):
        """Whether the bound is met; None where nothing is promised or measured."""
        if self.bound is None or self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def as_json(self):
        return dataclasses.asdict(self) | {"met": self.met}


def median_row(what, samples, **rest):
    return Row(what, statistics.median(samples), samples=list(samples), **rest)


def _number(value):
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _cells(row):
    measured = f"{_number(row.value)} {row.unit}".strip()
    bound = "" if row.bound is None else f"{'>=' if row.at_least else '<='} {_number(row.bound)}"
    met = {None: "", True: "yes", False: "NO"}[row.met]
    return [row.what, measured, bound, met, row.note]


def table(rows):
    """The rows as text in columns."""
    lines = [["what", "measured", "bound", "met", ""]] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths + [0])).rstrip() for line in lines)
