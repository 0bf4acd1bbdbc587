"""Checks `tiermill calibrate` from outside: bands recounted with numpy, rules held against scikit-learn's tree and polars' SQL.

    python tests/outside/check_calibrate.py      runs the binary on CDNOW with four and with six tiers, calibrates, checks

It shares no code with tiermill and knows only the files that a run and a calibration promise.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import polars as pl
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from check_run import BINARY, FEATURES, ROOT, Checks

FLAGS = "--customer customer_id --time date --amount amount --count days --as-of 1998-07-01 --quiet".split()
DATA = ["--input", str(ROOT / "data" / "cdnow.parquet")]
# Points of fidelity that scikit-learn may be ahead with as many leaves.
BEHIND = 0.005


def tiermill(folder, *arguments):
    subprocess.run([str(BINARY.resolve()), *arguments], cwd=folder, check=True, stdout=subprocess.PIPE)


def bands(checks, found, run):
    """Counts, revenue and fit of every entry, from its cut points alone."""
    revenue = run["monetary"].to_numpy()
    for dimension, schemes in found["dimensions"].items():
        values = run[dimension].to_numpy().astype(float)
        total = ((values - values.mean()) ** 2).sum()
        for scheme, entries in schemes.items():
            for entry in entries:
                what = f"{dimension} {scheme} {entry['bands']}"
                for name, one in ((what, entry), (f"{what}, rounded", entry["rounded"])):
                    band = np.searchsorted(one["cut_points"], values, side="left")
                    n = len(one["cut_points"]) + 1
                    checks.equal(f"{name}: customers", one["customers"], np.bincount(band, minlength=n).tolist())
                    checks.close(f"{name}: revenue", one["revenue"], np.bincount(band, revenue, minlength=n))
                band = np.searchsorted(entry["cut_points"], values, side="left")
                groups = [values[band == index] for index in np.unique(band)]
                within = sum(((group - group.mean()) ** 2).sum() for group in groups)
                checks.close(f"{what}: within", entry["within_ss"] / total, within / total)
                checks.close(f"{what}: gvf", entry["gvf"], 1 - within / total)


def intervals(checks, found, run):
    """A plain bootstrap of the median and the quartiles of money."""
    values = run["monetary"].to_numpy()
    random = np.random.default_rng(7)
    drawn = [np.quantile(random.choice(values, len(values)), [0.25, 0.5, 0.75]) for _ in range(300)]
    low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
    entry = next(entry for entry in found["dimensions"]["monetary"]["quantile"] if entry["bands"] == 4)
    ours = np.array(entry["interval"])
    for index, cut in enumerate(entry["cut_points"]):
        width = high[index] - low[index]
        off = max(abs(ours[index, 0] - low[index]), abs(ours[index, 1] - high[index]))
        checks.that(f"interval of the quartile at {cut}", off <= 0.5 * width, f"{ours[index]} against {low[index]}, {high[index]}")


def rules(checks, found, run, by_rules):
    """The clusters as rules: recounted from a run with them, and beside scikit-learn's tree of as many leaves."""
    told = found["clusters_as_rules"]
    same = (by_rules["tier_name"] == by_rules["segment"]).to_numpy()
    revenue = run["monetary"].to_numpy()
    checks.close("fidelity", told["fidelity"], same.mean())
    checks.close("fidelity in revenue", told["revenue_fidelity"], revenue[same].sum() / revenue.sum())
    columns = [run[name].to_numpy().astype(float) for name in FEATURES]
    columns.append(columns[2] / columns[1])
    tree = DecisionTreeClassifier(max_leaf_nodes=told["leaves"], random_state=0).fit(np.column_stack(columns), run["tier"].to_numpy())
    theirs = tree.score(np.column_stack(columns), run["tier"].to_numpy())
    print(f"fidelity with {told['leaves']} leaves: tiermill {told['fidelity']:.4f}, scikit-learn {theirs:.4f}")
    checks.that("as faithful as scikit-learn's tree", theirs - BEHIND <= told["fidelity"], f"{told['fidelity']} against {theirs}")
    space = StandardScaler().fit_transform(np.log1p(np.column_stack(columns[:3])))

    def inertia(labels):
        groups = [space[labels == label] for label in np.unique(labels)]
        return sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups)

    price = inertia(by_rules["segment"].to_numpy()) / inertia(run["tier"].to_numpy())
    checks.close("price in inertia", told["inertia_price"], price, 1e-6)


def query(checks, folder, by_thresholds, by_rules):
    """thresholds.sql in another engine: the scores and the tiers of the rule files."""
    text = (folder / "told" / "thresholds.sql").read_text(encoding="utf-8")
    customers = by_thresholds.select("customer_id", *FEATURES)
    given = pl.SQLContext(customers=customers).execute(text.strip().removesuffix(";"), eager=True)
    for score in ("r_score", "f_score", "m_score"):
        checks.equal(f"{score} by SQL", given[score].to_list(), by_thresholds[score].to_list())
    checks.equal("tiers by SQL", given["tier_by_rules"].to_list(), by_rules["segment"].to_list())


def main():
    checks = Checks()
    for k in (4, 6):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            flags = [*DATA, *FLAGS, "--k", str(k)]
            tiermill(folder, "calibrate", *flags, "--out", "told", "--rules", "eight")
            found = json.loads((folder / "told" / "thresholds.json").read_text(encoding="utf-8"))
            for which in ("thresholds", "clusters"):
                tiermill(folder, "run", *flags, "--rules", f"told/{which}.toml", "--out", which)
            runs = [pl.read_parquet(folder / which / "current" / "assignments.parquet") for which in ("thresholds", "clusters")]
            checks.group("bands", bands, found, runs[0])
            checks.group("intervals", intervals, found, runs[0])
            checks.group("rules", rules, found, *runs)
            checks.group("query", query, folder, *runs)
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(min(checks.failed, 1))


if __name__ == "__main__":
    main()
