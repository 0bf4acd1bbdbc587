"""Whole runs of tiermill beside the same work in polars, DuckDB, scikit-learn, faiss and linfa; see README.md here.

make bench                                               one million and five million customers
make bench ARGS="--sweep --size 1m"                      with scikit-learn's search for k, which takes minutes
make bench ARGS="--size 50k --rounds 1 --results /tmp/r.md"
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any, NamedTuple

from measure import limited_to, machine, measured
from results import render

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SIZES = {"50k": 50_000, "1m": 1_000_000, "5m": 5_000_000, "100m": 21_750_000}
# Where a run is rehearsed: whatever is broken shows here after seconds, and every program has been read from disk.
REHEARSAL = "50k"
COLUMNS = ["--customer", "customer_id", "--time", "ordered_at", "--amount", "amount"]
PACKAGES = ("polars", "duckdb", "scikit-learn", "faiss-cpu", "numpy")


class Contestant(NamedTuple):
    """`peer` is a script in peers/, `arguments` are of tiermill: one of the two."""

    name: str
    title: str
    peer: str | None = None
    arguments: tuple[str, ...] = ()
    once: bool = False


CONTESTANTS = (
    Contestant("group_by", "polars group_by alone", peer="group_by.py"),
    Contestant("group_by_write", "polars group_by, sort, and a table like assignments.parquet ⁴", peer="group_by_write.py"),
    Contestant("check", "tiermill check (load alone)", arguments=("check",)),
    Contestant("run_5", "tiermill run --k 5", arguments=("run", "--k", "5", "--n-runs", "10")),
    Contestant("run_auto", "tiermill run --k auto", arguments=("run", "--k", "auto", "--n-runs", "10")),
    Contestant("polars_sklearn", "polars + scikit-learn, k = 5", peer="polars_sklearn.py"),
    Contestant("duckdb_sklearn", "duckdb + scikit-learn, k = 5", peer="duckdb_sklearn.py"),
    Contestant("polars_faiss", "polars + faiss, k = 5 ¹", peer="polars_faiss.py"),
    Contestant(
        "run_linfa",
        "tiermill run --algorithm linfa --k 5 ²",
        arguments=("run", "--algorithm", "linfa", "--k", "5", "--n-runs", "10"),
    ),
    Contestant("sweep", "polars + scikit-learn, k = 2..10, silhouette ³", peer="polars_sweep.py", once=True),
)


class Bench:
    """Where things are, and who takes part."""

    def __init__(self, asked: argparse.Namespace):
        target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
        self.rounds, self.threads = asked.rounds, asked.threads
        self.cache = pathlib.Path(os.environ.get("TIERMILL_BENCH_DATA", target / "bench")).resolve()
        self.cache.mkdir(parents=True, exist_ok=True)
        self.binary = asked.binary or built(target)
        self.versions = versions(self.binary, ours=asked.binary is None)
        self.contestants = [one for one in CONTESTANTS if asked.sweep or one.name != "sweep"]
        self.machine = machine(asked.threads)
        self.env = limited_to(asked.threads)

    def orders(self, size: str) -> pathlib.Path:
        """The folder of orders; the truth is written last, so a folder without it is half done."""
        folder = self.cache / f"orders-{size}"
        if not folder.with_name(f"{folder.name}.truth.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            say(f"{size}: generate")
            command = [self.binary, "generate", "--customers", str(SIZES[size]), "--out", folder, "--quiet"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return folder

    def kept(self, size: str) -> pathlib.Path:
        return self.cache / f"measured-{size}.json"

    def once(self, one: Contestant, orders: pathlib.Path) -> dict[str, Any]:
        """One process: usage, customers, stages, and the centers of a fit."""
        out = self.cache / "out"
        shutil.rmtree(out, ignore_errors=True)
        if one.peer:
            command = [sys.executable, HERE / "peers" / one.peer, orders, "--threads", str(self.threads)]
        else:
            command = [self.binary, *one.arguments, "--input", orders, *COLUMNS, "--quiet", "--format", "json"]
            command += ["--out", out] if one.arguments[0] == "run" else []
        usage, printed = measured([str(part) for part in command], self.env, self.cache)
        found = published(out / "current") if out.exists() else printed
        return {**usage._asdict(), "stages": {}, **found}

    def interleaved(self, size: str, orders: pathlib.Path, rounds: int) -> dict[str, list[dict[str, Any]]]:
        """A B C, C B A, …: what slows the machine down for a while slows everybody down, and nobody always has the same before.

        A virtual machine gives memory back soon after a process: who follows a small one has to ask for it again.
        """
        runs: dict[str, list[dict[str, Any]]] = {one.name: [] for one in self.contestants}
        for turn in range(rounds):
            for one in self.contestants[:: -1 if turn % 2 else 1]:
                if one.once and turn > 0:
                    continue
                run = self.once(one, orders)
                runs[one.name].append(run)
                say(f"{size}: round {turn + 1} of {rounds}: {one.title}: {run['wall']:.2f} s")
        customers = {run["customers"] for of_one in runs.values() for run in of_one}
        if len(customers) != 1:
            sys.exit(f"error: the contestants disagree on how many customers there are: {sorted(customers)}")
        return runs

    def inertia(self, runs: dict[str, list[dict[str, Any]]], orders: pathlib.Path) -> dict[str, float]:
        """Of the last round, whoever found it: counted by one referee."""
        centers = {name: of_one[-1]["centers"] for name, of_one in runs.items() if "centers" in of_one[-1]}
        command = [sys.executable, HERE / "peers" / "recount.py", orders]
        done = subprocess.run(command, input=json.dumps(centers), check=True, text=True, capture_output=True, env=self.env)
        return json.loads(done.stdout)

    def measure(self, size: str) -> dict[str, Any]:
        orders = self.orders(size)
        # Warms the page cache; the referee reads the same columns as everybody.
        self.inertia({}, orders)
        runs = self.interleaved(size, orders, self.rounds)
        inertia = self.inertia(runs, orders)
        read = runs["check"][0]["rows"]["read"]
        return {
            "size": size,
            "date": datetime.date.today().isoformat(),
            "machine": self.machine,
            "versions": self.versions,
            "customers": runs["check"][0]["customers"],
            "orders": read,
            "contestants": [
                {"name": one.name, "title": one.title, "inertia": inertia.get(one.name), "runs": runs[one.name]}
                for one in self.contestants
            ],
        }


def built(target: pathlib.Path) -> pathlib.Path:
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    return target / "release" / "tiermill"


def published(run: pathlib.Path) -> dict[str, Any]:
    """What a run of tiermill found, from its files, in the words of the peers."""
    model = json.loads((run / "model.json").read_text(encoding="utf-8"))
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    centers = [
        [value * of["spread"] + of["center"] for value, of in zip(center, model["features"], strict=True)]
        for center in model["centroids"]
    ]
    return {"customers": model["customers"], "stages": manifest["timings"], "k": model["k"], "centers": centers}


def versions(binary: pathlib.Path, ours: bool) -> dict[str, str]:
    """The commit is that of a program just built from it; nobody knows where another one comes from."""

    def output(*command: str) -> str:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = output("git", "status", "--porcelain", "src", "Cargo.toml", "Cargo.lock")
    commit = output("git", "rev-parse", "--short", "HEAD") or "unknown"
    return {
        "tiermill": output(str(binary), "--version").removeprefix("tiermill "),
        "commit": (commit + (" with changes" if changed else "")) if ours else "unknown",
        "python": ".".join(str(part) for part in sys.version_info[:3]),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", action="append", choices=SIZES, help="may be repeated (default: 1m and 5m)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="threads and cores, for everybody (default: 2)")
    parser.add_argument("--sweep", action="store_true", help="also scikit-learn's search for k, in the first round")
    parser.add_argument("--binary", type=pathlib.Path, help="measure this one instead of building")
    parser.add_argument("--results", type=pathlib.Path, default=HERE / "RESULTS.md")
    asked = parser.parse_args()
    if asked.rounds < 1 or asked.threads < 1:
        parser.error("--rounds and --threads start at 1")
    asked.binary = asked.binary and asked.binary.resolve()
    return asked


def main() -> None:
    asked = arguments()
    bench = Bench(asked)
    bench.interleaved(REHEARSAL, bench.orders(REHEARSAL), 1)
    sizes = asked.size or ["1m", "5m"]
    for size in sizes:
        bench.kept(size).write_text(json.dumps(bench.measure(size)), encoding="utf-8")
    # What was measured on another day stays in the table with its own date: nobody repeats 100m for a new 1m.
    shown = [bench.kept(size) for size in SIZES if size in sizes or size != REHEARSAL]
    found = [json.loads(path.read_text(encoding="utf-8")) for path in shown if path.exists()]
    asked.results.write_text(render(found), encoding="utf-8")
    say(f"wrote {asked.results}")


if __name__ == "__main__":
    main()
