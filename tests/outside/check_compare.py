"""Checks `tiermill compare` from outside: every figure computed again from the Parquet with scikit-learn, scipy and numpy.

    python tests/outside/check_compare.py      runs the binary on CDNOW with three and with five tiers, compares, checks

It shares no code with tiermill and knows only the files that a run and a comparison promise.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import polars as pl
from scipy.optimize import linear_sum_assignment
from scipy.stats import entropy
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, homogeneity_completeness_v_measure, mutual_info_score

from check_run import BINARY, FEATURES, ROOT, Checks

FLAGS = "--customer customer_id --time date --amount amount --count days --as-of 1998-07-01 --quiet".split()


def tiermill(folder, *arguments):
    subprocess.run([str(BINARY.resolve()), *arguments], cwd=folder, check=True, stdout=subprocess.PIPE)


def agreement(checks, found, a, b, table):
    homogeneity, completeness, v_measure = homogeneity_completeness_v_measure(a, b)
    expected = {
        "adjusted_rand": adjusted_rand_score(a, b),
        "adjusted_mutual_info": adjusted_mutual_info_score(a, b),
        "homogeneity": homogeneity,
        "completeness": completeness,
        "v_measure": v_measure,
        "variation_of_information": entropy(table.sum(axis=1)) + entropy(table.sum(axis=0)) - 2 * mutual_info_score(a, b),
        "purity_a_by_b": table.max(axis=0).sum() / table.sum(),
        "purity_b_by_a": table.max(axis=1).sum() / table.sum(),
    }
    for name, value in expected.items():
        checks.close(name, found[name], value)


def eta2(values, labels):
    total = ((values - values.mean()) ** 2).sum()
    groups = [values[labels == label] for label in np.unique(labels)]
    return sum(len(group) * (group.mean() - values.mean()) ** 2 for group in groups) / total


def value(checks, side, found, customers, labels):
    revenue = customers["monetary"].to_numpy()
    groups = sorted((revenue[labels == label] for label in np.unique(labels)), key=np.mean)
    shares = np.cumsum([0.0] + [len(group) / len(revenue) for group in groups])
    held = np.cumsum([0.0] + [group.sum() / revenue.sum() for group in groups])
    checks.close(f"{side}: lorenz", found["lorenz"], np.column_stack([shares, held]))
    checks.close(f"{side}: gini", found["gini"], 1 - 2 * np.trapezoid(held, shares))
    checks.close(f"{side}: best fifth", found["capture_20"], 1 - np.interp(0.8, shares, held))
    checks.close(f"{side}: top tier", found["top_capture"], revenue[labels == 1].sum() / revenue.sum())
    sizes = np.bincount(labels)[1:]
    checks.close(f"{side}: balance", found["balance"], entropy(sizes) / np.log(len(sizes)))
    for name in FEATURES:
        values = customers[name].to_numpy().astype(float)
        checks.close(f"{side}: eta² of {name}", found["eta2"][name], eta2(values, labels))
        checks.close(f"{side}: eta² of {name}, scaled", found["eta2_scaled"][name], eta2(np.log1p(values), labels))


def moved(checks, found, listed, customers, labels, table):
    rows, columns = linear_sum_assignment(-table)
    pairs = zip(rows, columns)
    stays = {row: column for row, column in pairs if table[row, column] in (table[row].max(), table[:, column].max())}
    counterpart = np.array([stays[row] if row in stays else table[row].argmax() for row in range(len(table))])
    a, b = (side - 1 for side in labels)
    moving = counterpart[a] != b
    checks.equal("customers who move", found["moved"]["customers"], int(moving.sum()))
    checks.equal("moved.parquet lists them", listed["customer_id"].to_list(), customers["customer_id"].filter(pl.Series(moving)).to_list())
    checks.close("their revenue", found["moved"]["revenue"], customers["monetary"].to_numpy()[moving].sum())
    checks.close("revenue in moved.parquet", listed["revenue"].to_numpy(), customers["monetary"].to_numpy()[moving])
    points = np.log1p(customers.select(FEATURES).to_numpy().astype(float))
    points = (points - points.mean(axis=0)) / points.std(axis=0)
    means = [np.array([points[side == label].mean(axis=0) for label in range(side.max() + 1)]) for side in (a, b)]
    closer = np.abs(points - means[0][a]) - np.abs(points - means[1][b])
    deciding = [FEATURES[index] for index in closer[moving].argmax(axis=1)]
    checks.equal("the feature that decides", listed["decides"].to_list(), deciding)
    plan = {segment["segment"]: segment["customers"] for segment in found["plan"]}
    for column, name in enumerate(found["cross_table"]["columns"]):
        before, stay, after = table[counterpart == column].sum(), table[counterpart == column, column].sum(), table[:, column].sum()
        expected = {"before": before, "leave": before - stay, "enter": after - stay, "after": after, "net": after - before}
        checks.equal(f"plan for {name}", plan[name], {key: int(number) for key, number in expected.items()})


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data = ["--input", str(ROOT / "data" / "cdnow.parquet")]
        for k in (3, 5):
            tiermill(folder, "run", *data, *FLAGS, "--k", str(k), "--out", f"out{k}")
        tiermill(folder, "compare", "out3", "out5", "--out", "told", "--quiet")
        found = json.loads((folder / "told" / "comparison.json").read_text(encoding="utf-8"))
        listed = pl.read_parquet(folder / "told" / "moved.parquet")
        runs = [pl.read_parquet(folder / f"out{k}" / "current" / "assignments.parquet") for k in (3, 5)]
    customers, labels = runs[0], [run["tier"].to_numpy() for run in runs]
    table = np.zeros((3, 5), dtype=int)
    np.add.at(table, (labels[0] - 1, labels[1] - 1), 1)
    revenue = np.zeros((3, 5))
    np.add.at(revenue, (labels[0] - 1, labels[1] - 1), customers["monetary"].to_numpy())
    checks.equal("customers of both", found["customers"], customers.height)
    checks.equal("cross table of customers", found["cross_table"]["customers"], table.tolist())
    checks.close("cross table of revenue", found["cross_table"]["revenue"], revenue)
    checks.group("agreement", agreement, found, *labels, table)
    for side, own in zip("ab", labels):
        checks.group(f"value of {side}", value, side, found["value"][side], customers, own)
    checks.group("who moves", moved, found, listed, customers, labels, table)
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(min(checks.failed, 1))


if __name__ == "__main__":
    main()
