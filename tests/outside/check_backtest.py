"""Checks `tiermill backtest` from outside: the outcome from the rows, every figure by scipy, scikit-learn and numpy.

    python tests/outside/check_backtest.py      runs the binary on CDNOW: calibration to 1997-09-30, holdout to 1998-06-30

It shares no code with tiermill and knows only the files that a backtest promises. Intervals are held against a bootstrap of
single customers, drawn with replacement.
"""

import datetime
import json
import pathlib
import sys
import tempfile

import numpy as np
import polars as pl
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import auc

from check_compare import tiermill
from check_run import ROOT, Checks

DATA = ROOT / "data" / "cdnow.parquet"
FLAGS = "--customer customer_id --time date --amount amount --count days --k 5 --against eight --quiet".split()
HORIZON = 273
AT = datetime.date(1997, 10, 1)
DRAWS = 400


def outcome(checks, fold, told):
    """Orders and revenue of [T, T + horizon) of the customers before T."""
    at = datetime.date.fromisoformat(fold["at"][:10])
    rows = pl.read_parquet(DATA)
    before = rows.filter(pl.col("date") < at)["customer_id"].unique().sort()
    after = rows.filter(pl.col("date").is_between(at, at + datetime.timedelta(days=fold["horizon_days"]), closed="left"))
    sums = after.group_by("customer_id").agg(pl.col("date").n_unique().alias("orders"), pl.col("amount").sum().alias("revenue"))
    expected = pl.DataFrame({"customer_id": before}).join(sums, on="customer_id", how="left", maintain_order="left").fill_null(0)
    checks.equal("customers", told["customer_id"].to_list(), expected["customer_id"].to_list())
    checks.equal("orders after T", told["future_orders"].to_list(), expected["orders"].to_list())
    checks.close("revenue after T", told["future_revenue"].to_numpy(), expected["revenue"].to_numpy())
    checks.equal("customers of the fold", fold["customers"], expected.height)
    checks.equal("orders of the fold", fold["orders"], int(expected["orders"].sum()))
    checks.close("revenue of the fold", fold["revenue"], expected["revenue"].sum())
    newcomers = after.filter(~pl.col("customer_id").is_in(before.to_list()))
    checks.equal("newcomers", fold["newcomers"], newcomers["customer_id"].n_unique())
    checks.close("their revenue", fold["newcomers_revenue"], newcomers["amount"].sum())


def curve(ranks, revenue, weights):
    """Shares of customers and revenue, from the worst tier on."""
    tiers = range(ranks.max() + 1)
    sizes = np.array([weights[ranks == tier].sum() for tier in tiers])[::-1]
    sums = np.array([(weights * revenue)[ranks == tier].sum() for tier in tiers])[::-1]
    return np.cumsum([0, *sizes]) / sizes.sum(), np.cumsum([0, *sums]) / sums.sum()


def figures(ranks, revenue, weights):
    shares, held = curve(ranks, revenue, weights)
    top = ranks == 0
    lift = np.average(revenue[top], weights=weights[top]) / np.average(revenue, weights=weights)
    return {
        "lift": lift,
        "gini": 1 - 2 * auc(shares, held),
        "top_capture": (weights * revenue)[top].sum() / (weights * revenue).sum(),
        "capture_20": 1 - np.interp(0.8, shares, held),
    }


def tiering(checks, name, found, told):
    ranks = told[name].replace_strict({tier["name"]: rank for rank, tier in enumerate(found["tiers"])}, return_dtype=pl.Int64).to_numpy()
    revenue = told["future_revenue"].to_numpy()
    orders = told["future_orders"].to_numpy()
    for figure, value in figures(ranks, revenue, np.ones(len(ranks))).items():
        checks.close(f"{name}: {figure}", found[figure], value)
    checks.close(f"{name}: rank correlation", found["rank_correlation"], spearmanr(-ranks, revenue).statistic)
    for rank, tier in enumerate(found["tiers"]):
        own = ranks == rank
        expected = [own.sum(), (0 < orders[own]).mean(), orders[own].sum(), revenue[own].mean()]
        checks.close(f"{name}: {tier['name']}", [tier[key] for key in ("customers", "repeat_rate", "orders", "revenue_per_customer")], expected)
    means = np.array([tier["revenue_per_customer"] for tier in found["tiers"]])
    checks.equal(f"{name}: monotone", found["monotone"], bool((np.diff(means) <= 0).all()))
    return ranks, revenue


def drawn(ranks, revenue, generator):
    """Figures of customers drawn with replacement."""
    rows = generator.integers(len(revenue), size=len(revenue))
    values = figures(ranks[rows], revenue[rows], np.ones(len(rows)))
    values["rank_correlation"] = np.corrcoef(rankdata(-ranks[rows]), rankdata(revenue[rows]))[0, 1]
    return values


def intervals(checks, found, sides, seed):
    """The width of intervals is that of the plain bootstrap; its own noise is some 5 % at so many draws."""
    samples = {}
    for name, (ranks, revenue) in sides.items():
        generator = np.random.default_rng(seed)  # the same customers for every tiering: pairs
        samples[name] = [drawn(ranks, revenue, generator) for _ in range(DRAWS)]
    for name, draws in samples.items():
        for figure, (low, high) in found["tierings"][name]["intervals"].items():
            width = 2 * 1.6449 * np.std([draw[figure] for draw in draws])
            checks.that(f"{name}: interval of {figure}", abs((high - low) / width - 1) < 0.2, f"{high - low} against {width}")
    for difference in found["differences"]:
        a, b, measure = difference["a"], difference["b"], difference["measure"]
        gaps = [one[measure] - other[measure] for one, other in zip(samples[a], samples[b])]
        what = f"{a} - {b} in {measure}"
        expected = found["tierings"][a][measure] - found["tierings"][b][measure]
        checks.close(what, difference["difference"], expected)
        width = difference["high"] - difference["low"]
        checks.that(f"{what}: interval", abs(width / (2 * 1.6449 * np.std(gaps)) - 1) < 0.2, f"{width} against {2 * 1.6449 * np.std(gaps)}")
        none = difference["low"] <= 0 <= difference["high"]
        better = "not distinguishable" if none else f"{a if 0 < difference['low'] else b} is better"
        checks.equal(f"{what}: verdict", difference["verdict"], better)


def foreknowledge(checks, folder):
    """Rules that were fitted to all orders are told from those that were fitted to the orders before T."""
    ask = ["--input", str(DATA), *FLAGS[: FLAGS.index("--against")], "--resamples", "100", "--quiet"]
    for as_of, told in ((None, True), (str(AT), False)):
        name = as_of or "all"
        tiermill(folder, "calibrate", *ask, "--out", name, *(["--as-of", as_of] if as_of else []))
        for file in ("clusters.toml", "thresholds.toml"):
            out = f"{name}-{file}"
            tiermill(folder, "backtest", *ask, "--at", str(AT), "--horizon", f"{HORIZON}d", "--against", f"{name}/{file}", "--out", out)
            warnings = json.loads((folder / out / "backtest.json").read_text(encoding="utf-8"))["warnings"]
            found = [warning for warning in warnings if warning["code"] == "rules_from_the_future"]
            checks.equal(f"{file} as of {name} knows what it is judged by", len(found), int(told))


def main():
    checks = Checks()
    ask = ["backtest", "--input", str(DATA), *FLAGS]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        tiermill(folder, *ask, "--at", str(AT), "--horizon", f"{HORIZON}d", "--out", "one")
        tiermill(folder, *ask, "--at", "1998-04-02", "--horizon", "90d", "--folds", "2", "--resamples", "100", "--out", "two")
        one, two = (json.loads((folder / out / "backtest.json").read_text(encoding="utf-8")) for out in ("one", "two"))
        checks.group("foreknowledge", foreknowledge, folder)
        told, stacked = (pl.read_parquet(folder / out / "backtest.parquet") for out in ("one", "two"))
    checks.equal("folds", [fold["at"][:10] for fold in two["folds"]], ["1998-04-02", "1998-01-02"])
    checks.group("outcome", outcome, one["folds"][0], told)
    sides = {name: tiering(checks, name, one["tierings"][name], told) for name in one["tierings"]}
    checks.group("intervals", intervals, one, sides, 5)
    for fold in two["folds"]:
        own = stacked.filter(pl.col("at") == fold["at"])
        checks.group("outcome of a fold", outcome, fold, own)
        for name, found in fold["tierings"].items():
            checks.group(f"{name} in a fold", tiering, name, found, own)
    for name, pooled in two["tierings"].items():
        parts = [fold["tierings"][name] for fold in two["folds"]]
        revenue = [fold["revenue"] for fold in two["folds"]]
        customers = [fold["customers"] for fold in two["folds"]]
        tops = [part["tiers"][0] for part in parts]
        top = sum(tier["revenue"] for tier in tops)
        checks.close(f"{name}, pooled: top tier", pooled["top_capture"], top / sum(revenue))
        base = sum(revenue) / sum(customers)
        checks.close(f"{name}, pooled: lift", pooled["lift"], top / sum(tier["customers"] for tier in tops) / base)
        for figure, weights in (("gini", revenue), ("capture_20", revenue), ("rank_correlation", customers)):
            expected = np.average([part[figure] for part in parts], weights=weights)
            checks.close(f"{name}, pooled: {figure}", pooled[figure], expected)
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(min(checks.failed, 1))


if __name__ == "__main__":
    main()
