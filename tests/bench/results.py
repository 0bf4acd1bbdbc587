"""Measurements → RESULTS.md, as text: a table per size, then the ratios that were promised and whether they hold."""

from statistics import median
from typing import Any, NamedTuple

NOTES = """\
Whole processes, in interleaved rounds of which every second goes backwards, on the same files in the page cache: start of
the program, load, work, and for `tiermill run` all files of a run, written and synced. Seconds are the median (least..most) of the rounds; CPU is user and
system time of all threads; the peak is resident memory. Stages are medians of what a program says of itself (calibrate and
page pass while a run writes, and are part of that); what they
leave out is mostly its start. Inertia is recounted on all customers by one referee, from the centers of the last round,
and divided by that of polars + scikit-learn.

"Without Python's start" sets the stages of a peer alone against the whole process of tiermill. A goal is met where both
ratios hold.

¹ In float32, from k-means++, until an iteration gains less than a hundred-thousandth.
² The best of linfa-clustering's ten runs, taken by tiermill to a fixed point on all customers, and the whole run around it.
³ Once, in the first round.
⁴ 16 columns of those names and types, customers in order, zstd level 1, synced; tiers are quarters of the amount. What is left of a goal that is
set against the group_by alone when loading and publishing are polars' own.
"""


class Goal(NamedTuple):
    """A ratio of one figure of two contestants, and its bound: at most, or at least; none where it is only told."""

    what: str
    above: str
    below: str
    figure: str
    bound: float | None
    at_least: bool = False

    def holds(self, ratio: float) -> bool:
        if self.bound is None:
            return True
        return self.bound <= ratio if self.at_least else ratio <= self.bound


GOALS = (
    Goal("polars group_by, sort and a written table ÷ polars group_by alone", "group_by_write", "group_by", "seconds", None),
    Goal("`run --k auto` ÷ polars group_by alone", "run_auto", "group_by", "seconds", 1.5),
    Goal("search for k: polars + scikit-learn ÷ `run --k auto`", "sweep", "run_auto", "seconds", 60, True),
    Goal("k = 5: polars + scikit-learn ÷ `run --k 5`", "polars_sklearn", "run_5", "seconds", 8, True),
    Goal("k = 5: duckdb + scikit-learn ÷ `run --k 5`", "duckdb_sklearn", "run_5", "seconds", 8, True),
    Goal("peak memory: `run --k auto` ÷ polars group_by alone", "run_auto", "group_by", "peak", 1.15),
    Goal("peak memory: `run --k 5` ÷ polars group_by alone", "run_5", "group_by", "peak", 1.15),
    Goal("inertia: `run --k 5` ÷ polars + scikit-learn", "run_5", "polars_sklearn", "inertia", 1.0001),
)


class Entry:
    """A contestant's rounds in one size, as medians."""

    def __init__(self, kept: dict[str, Any]):
        self.name, self.title, self.runs, self.inertia = (kept[key] for key in ("name", "title", "runs", "inertia"))
        self.walls = [run["wall"] for run in self.runs]
        self.seconds, self.cpu, self.peak = (median(run[key] for run in self.runs) for key in ("wall", "cpu", "peak"))
        self.stages = {name: median(run["stages"][name] for run in self.runs) for name in self.runs[0]["stages"]}
        # What a program of our own costs is the process; a peer can be called where Python runs already.
        self.bare = self.seconds if self.name.startswith("run") else sum(self.stages.values())
        self.k = len(self.runs[0].get("centers", []))


def render(measured: list[dict[str, Any]]) -> str:
    sections = []
    for size in measured:
        entries = {kept["name"]: Entry(kept) for kept in size["contestants"]}
        sections += [heading(size), contestants(entries), goals(entries)]
    return "\n".join(["# What `make bench` measured\n", NOTES, *sections])


def heading(size: dict[str, Any]) -> str:
    on = size["machine"]
    cores = f"{on['threads']} threads of {on['cores']} cores ({on['processor']}), {on['memory_gb']} GB"
    versions = ", ".join(f"{name} {version}" for name, version in size["versions"].items())
    rounds = max(len(one["runs"]) for one in size["contestants"])
    return (
        f"## {size['orders']:,} orders of {size['customers']:,} customers\n\n"
        f"{size['date']}, {rounds} {'round' if rounds == 1 else 'rounds'}; {cores}, load of others before: {on['load']}.\n"
        f"{versions}.\n"
    )


def contestants(entries: dict[str, Entry]) -> str:
    base = entries["polars_sklearn"]
    rows = [
        [
            one.title,
            f"{one.seconds:.2f}" + (f" ({min(one.walls):.2f}..{max(one.walls):.2f})" if len(one.walls) > 1 else ""),
            f"{one.cpu:.2f}",
            f"{one.peak / 1e6:,.0f}",
            ", ".join(f"{name} {seconds:.2f}" for name, seconds in one.stages.items()),
            f"{one.inertia / base.inertia:.6f}" if one.k == base.k else f"k = {one.k}" if one.k else "",
        ]
        for one in entries.values()
    ]
    return table(["contestant", "seconds", "CPU s", "peak MB", "stages, s", "inertia ÷ scikit-learn's"], rows)


def goals(entries: dict[str, Entry]) -> str:
    rows = []
    for goal in GOALS:
        bound = "" if goal.bound is None else f"{'≥' if goal.at_least else '≤'} {goal.bound}"
        if goal.above not in entries or goal.below not in entries:
            rows.append([goal.what, bound, "", "", "not measured"])
            continue
        figures = [goal.figure, "bare"] if goal.figure == "seconds" else [goal.figure]
        ratios = [getattr(entries[goal.above], figure) / getattr(entries[goal.below], figure) for figure in figures]
        shown = [f"{ratio:.6f}" if goal.figure == "inertia" else f"{ratio:.2f}" for ratio in ratios]
        met = "" if goal.bound is None else "yes" if all(goal.holds(ratio) for ratio in ratios) else "**no**"
        rows.append([goal.what, bound, *shown, *[""] * (2 - len(shown)), met])
    return table(["ratio", "goal", "measured", "without Python's start", "met"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ["---"] * len(head), *rows])
