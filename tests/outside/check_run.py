"""Checks published runs from outside: the same figures, computed again with polars and numpy from the Parquet alone.

    python tests/outside/check_run.py                  runs the binary on CDNOW (and Online Retail), then checks
    python tests/outside/check_run.py RUN_DIR...       checks runs (or `out` folders) that are there already

Online Retail is not in the repository: TIERMILL_EXTRA_DATA names the folder that has `online_retail.parquet`, and in
`expected/` the reference tables. It shares no code with tiermill and knows only the files that a run promises.
"""

import argparse
import datetime
import hashlib
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import polars as pl

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / "tiermill"
FEATURES = ("recency_days", "frequency", "monetary")
SAME_BYTES = ("assignments.parquet", "tiers.json", "model.json", "thresholds.toml", "thresholds.json", "thresholds.sql")
PUBLISHED = (*SAME_BYTES, "manifest.json", "rejected.parquet")
DAY_US = 86_400_000_000


class Checks:
    """Prints one line per check and counts."""

    def __init__(self):
        self.passed = self.failed = 0

    def that(self, what, holds, otherwise=""):
        if holds:
            self.passed += 1
            print(f"ok: {what}")
        else:
            self.failed += 1
            print(f"FAILED: {what}{': ' if otherwise else ''}{otherwise}", file=sys.stderr)

    def equal(self, what, found, expected):
        self.that(what, found == expected, f"found {found!r}, expected {expected!r}")

    def close(self, what, found, expected, tolerance=1e-9):
        """Numbers or arrays, to a relative tolerance (absolute below 1)."""
        found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
        if found.shape != expected.shape:
            self.that(what, False, f"{found.shape} values, expected {expected.shape}")
            return
        off = ~(np.abs(found - expected) <= tolerance * np.maximum(1.0, np.abs(expected)))
        first = np.argwhere(off)[:1].tolist()
        if not off.any():
            self.that(what, True)
            return
        values = f"found {float(found[off][0])!r}, expected {float(expected[off][0])!r}"
        self.that(what, False, f"{int(off.sum())} of {off.size} differ, first at {first}: {values}")

    def group(self, what, function, *arguments):
        """A missing file or key is one failed check, not the end of the others."""
        try:
            return function(self, *arguments)
        except Exception as error:
            self.that(what, False, f"{type(error).__name__}: {error}")
            return None


class DataSet:
    """What a data set is expected to give, from its Parquet file alone."""

    def __init__(self, name, path, reference, best_inertia, flags):
        self.name, self.path, self.reference, self.best_inertia, self.flags = name, path, reference, best_inertia, flags
        self.rows = pl.read_parquet(path)
        self.rejected = {}


def cdnow(extra):
    data = DataSet(
        name="cdnow",
        path=ROOT / "data" / "cdnow.parquet",
        reference=extra / "expected" / "rfm_cdnow.parquet" if extra else None,
        best_inertia=cdnow_best_inertia(),
        flags=["--config", str(ROOT / "data" / "tiermill.toml")],
    )
    data.as_of = datetime.datetime(1998, 7, 1)
    data.used = data.rows.height
    data.customers = (
        data.rows.group_by("customer_id")
        .agg(
            pl.col("date").max().cast(pl.Datetime("us")).alias("last"),
            pl.col("date").min().cast(pl.Datetime("us")).alias("first"),
            pl.col("date").n_unique().alias("frequency"),
            # In cents, so that no order of the rows changes the sum.
            ((pl.col("amount") * 100).round().cast(pl.Int64).sum() / 100).alias("monetary"),
        )
        .sort("customer_id")
    )
    return data


def cdnow_best_inertia():
    golden = json.loads((ROOT / "tests" / "data" / "golden_cluster.json").read_text(encoding="utf-8"))
    return {int(name[1:]): found["inertia"] for name, found in golden["cdnow"]["clusters"].items()}


def online_retail(extra):
    """Order lines with cancellations, null customers and copies: the rule of expected/ref_online_retail.json."""
    where = "customer_id IS NOT NULL AND invoice_no NOT LIKE 'C%' AND quantity > 0 AND unit_price > 0"
    path = extra / "online_retail.parquet"
    reference = json.loads((extra / "expected" / "ref_online_retail.json").read_text(encoding="utf-8"))
    data = DataSet(
        name="online retail",
        path=path,
        reference=extra / "expected" / "rfm_online_retail.parquet",
        best_inertia={k: reference["kmeans_log1p_z"][f"k{k}"]["best_inertia"] for k in (3, 4, 5, 8)},
        flags=["--input", str(path), "--customer", "customer_id", "--time", "invoice_date", "--order", "invoice_no"]
        + ["--amount", "quantity * unit_price", "--where", where, "--deduplicate"]
        + ["--as-of", "2011-12-10T12:50", "--k", "5"],
    )
    kept = data.rows.filter(
        pl.col("customer_id").is_not_null()
        & ~pl.col("invoice_no").str.starts_with("C")
        & (pl.col("quantity") > 0)
        & (pl.col("unit_price") > 0)
    )
    lines = kept.unique()
    data.rejected = {"filtered": data.rows.height - kept.height, "duplicate": kept.height - lines.height}
    data.as_of = datetime.datetime(2011, 12, 10, 12, 50)
    data.used = lines.height
    # Prices have three decimals at most: in tenths of a cent they are whole numbers.
    mills = pl.col("quantity").cast(pl.Int64) * (pl.col("unit_price") * 1000).round().cast(pl.Int64)
    data.customers = (
        lines.group_by("customer_id")
        .agg(
            pl.col("invoice_date").max().alias("last"),
            pl.col("invoice_date").min().alias("first"),
            pl.col("invoice_no").n_unique().alias("frequency"),
            (mills.sum() / 1000).alias("monetary"),
        )
        .sort("customer_id")
    )
    return data


def whole_days(moments, as_of):
    """Elapsed 24 hours from each moment to as-of, rounded down."""
    elapsed = pl.Series([as_of], dtype=pl.Datetime("us")).dt.timestamp("us")[0] - moments.dt.timestamp("us")
    return (elapsed // DAY_US).cast(pl.Float64).to_numpy()


class Run:
    """The files of one published run."""

    def __init__(self, path):
        self.path = path.resolve()
        self.assignments = pl.read_parquet(self.path / "assignments.parquet")
        self.rejected = pl.read_parquet(self.path / "rejected.parquet")
        self.tiers, self.model, self.manifest = (
            json.loads((self.path / f"{name}.json").read_text(encoding="utf-8")) for name in ("tiers", "model", "manifest")
        )


def check_run(checks, run, data):
    for title, check in (
        ("the manifest", check_manifest),
        ("the rows", check_rows),
        ("the columns of assignments", check_columns),
        ("the customers", check_customers),
        ("the scores", check_scores),
        ("the model", check_model),
        ("the tiers of the customers", check_nearest),
        ("the names of the tiers", check_names),
        ("the sums of the tiers", check_tiers),
    ):
        checks.group(f"{data.name}: {title} could be read", lambda _, check=check: check(Named(checks, data.name), run, data))


class Named:
    """Puts the data set before the name of each check."""

    def __init__(self, checks, name):
        self.checks, self.name = checks, name

    def __getattr__(self, kind):
        return lambda what, *arguments, **options: getattr(self.checks, kind)(f"{self.name}: {what}", *arguments, **options)


def check_manifest(checks, run, data):
    manifest = run.manifest
    checks.equal("manifest: the run id is the name of the folder", manifest["run_id"], run.path.name)
    listed = {}
    for output in manifest["outputs"]:
        path = run.path / output["path"]
        content = path.read_bytes()
        listed[path.name] = (len(content), hashlib.sha256(content).hexdigest()) == (output["bytes"], output["sha256"])
    checks.equal("manifest: size and sha256 of each output", [name for name, same in listed.items() if not same], [])
    files = {path.name for path in run.path.rglob("*") if path.is_file()} - {"manifest.json"}
    checks.equal("manifest: lists every file of the run", sorted(listed), sorted(files))
    checks.equal("the run has every file that it promises", sorted(set(PUBLISHED) - files - {"manifest.json"}), [])
    inputs = manifest["inputs"]
    checks.equal("manifest: one input", [pathlib.Path(entry["path"]).name for entry in inputs], [data.path.name])
    checks.equal("manifest: size of the input", inputs[0]["bytes"], data.path.stat().st_size)
    checks.equal("manifest: rows of the input", inputs[0]["rows"], data.rows.height)
    checks.equal("manifest: customers", manifest["customers"], data.customers.height)
    absent = [key for key in ("command", "config", "timings", "peak_memory_bytes", "versions", "seed") if key not in manifest]
    checks.equal("manifest: keys that programs read", absent, [])


def check_rows(checks, run, data):
    rows = run.manifest["rows"]
    checks.equal("rows read", rows["read"], data.rows.height)
    checks.equal("rows used", rows["used"], data.used)
    checks.equal("rows rejected, by reason", {reason: n for reason, n in rows["rejected"].items() if n}, data.rejected)
    checks.equal("rows read = used + rejected", rows["used"] + sum(rows["rejected"].values()), rows["read"])
    kept = dict(run.rejected["reason"].value_counts().rows())
    too_many = {reason: n for reason, n in kept.items() if data.rejected.get(reason, 0) < n}
    checks.equal("rejected.parquet holds no more rows than were rejected", too_many, {})
    checks.equal("rejected.parquet has rows of each reason", sorted(kept), sorted(data.rejected))


def check_columns(checks, run, data):
    checks.equal(
        "columns and types of assignments.parquet",
        list(run.assignments.schema.items()),
        [
            ("customer_id", data.rows.schema["customer_id"]), ("as_of", pl.Date), ("recency_days", pl.Float64),
            ("frequency", pl.Int64), ("monetary", pl.Float64), ("tenure_days", pl.Float64), ("r_score", pl.Int8),
            ("f_score", pl.Int8), ("m_score", pl.Int8), ("tier", pl.Int32), ("tier_key", pl.String),
            ("tier_name", pl.String), ("margin", pl.Float32), ("segment", pl.String), ("previous_tier_key", pl.String),
            ("tier_since", pl.Date),
        ],
    )
    nullable = {"segment", "previous_tier_key"}
    nulls = {name: n for name, n in run.assignments.null_count().to_dicts()[0].items() if n and name not in nullable}
    checks.equal("no nulls but where there is nothing to say", nulls, {})
    dates = run.assignments.select(pl.col("as_of", "tier_since").unique().implode()).row(0)
    checks.equal("as_of and tier_since are the day of as-of", dates, ([data.as_of.date()], [data.as_of.date()]))


def check_customers(checks, run, data):
    found, expected = run.assignments, data.customers
    checks.that("each customer once, sorted", found["customer_id"].equals(expected["customer_id"]))
    checks.close("recency_days of every customer", found["recency_days"], whole_days(expected["last"], data.as_of))
    checks.close("tenure_days of every customer", found["tenure_days"], whole_days(expected["first"], data.as_of))
    checks.close("frequency of every customer", found["frequency"], expected["frequency"])
    checks.close("monetary of every customer", found["monetary"], expected["monetary"])
    if data.reference is None:
        return
    reference = pl.read_parquet(data.reference).sort("customer_id")
    checks.that("reference table: the same customers", found["customer_id"].equals(reference["customer_id"]))
    for ours, theirs in zip(FEATURES, ("recency", "frequency", "monetary")):
        checks.close(f"reference table: {ours} of every customer", found[ours], reference[theirs])


def check_scores(checks, run, data):
    """Quintiles by type-7 quantiles, the upper bound inclusive; 5 is best, so recency is reversed."""
    for feature, column in zip(FEATURES, ("r_score", "f_score", "m_score")):
        values = run.assignments[feature].to_numpy().astype(float)
        cuts = np.quantile(values, (0.2, 0.4, 0.6, 0.8), method="linear")
        band = 1 + (values[:, None] > cuts[None, :]).sum(axis=1)
        expected = 6 - band if feature == "recency_days" else band
        checks.equal(f"{column} of every customer", int((run.assignments[column].to_numpy() != expected).sum()), 0)


def transformed(feature, raw):
    """Winsorise, then transform."""
    if feature.get("winsor"):
        raw = np.clip(raw, *feature["winsor"])
    if feature["transform"] == "log1p":
        return np.sign(raw) * np.log1p(np.abs(raw))
    if feature["transform"] == "none":
        return raw
    raise ValueError(f"transform {feature['transform']!r} is not known here")


def scaled_matrix(run):
    return np.column_stack([
        (transformed(feature, run.assignments[feature["name"]].to_numpy().astype(float)) - feature["center"])
        / feature["spread"]
        * feature["weight"]
        for feature in run.model["features"]
    ])


def distances(run):
    """Customers by centroids, in the scaled space."""
    points, centroids = scaled_matrix(run), np.array(run.model["centroids"])
    return np.sqrt(((points[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2))


def check_model(checks, run, data):
    model = run.model
    checks.equal("model: features in order", [feature["name"] for feature in model["features"]], list(FEATURES))
    for feature in model["features"]:
        values = transformed(feature, run.assignments[feature["name"]].to_numpy().astype(float))
        checks.equal(f"model: {feature['name']} is log1p and z-scored", (feature["transform"], feature["scale"]), ("log1p", "zscore"))
        checks.close(f"model: center of {feature['name']}", feature["center"], math.fsum(values) / len(values))
        checks.close(f"model: spread of {feature['name']} (population)", feature["spread"], values.std())
    checks.equal("model: customers", model["customers"], data.customers.height)
    checks.equal("model: as_of", model["as_of"][:10], data.as_of.date().isoformat())
    checks.equal("model: k centroids, k tiers", (len(model["centroids"]), len(model["tiers"])), (model["k"], model["k"]))
    inertia = math.fsum(distances(run).min(axis=1) ** 2)
    checks.close("model: inertia over all customers", model["inertia"], inertia)
    best = data.best_inertia.get(model["k"])
    if best is not None:
        checks.that(
            f"model: inertia at most 1.0001 of the best known ({inertia / best:.6f})",
            inertia <= 1.0001 * best,
            f"{inertia} against {best}",
        )


def check_nearest(checks, run, data):
    to_centroids = distances(run)
    sorted_distances = np.sort(to_centroids, axis=1)
    first, second = sorted_distances[:, 0], sorted_distances[:, 1]
    tiers = run.assignments["tier"].to_numpy()
    checks.equal("tiers lie in 1..k", sorted(set(tiers.tolist())), list(range(1, run.model["k"] + 1)))
    own = to_centroids[np.arange(len(tiers)), tiers - 1]
    # On a border both are nearest: a rounding error decides.
    checks.equal("every customer is in the tier of the nearest centroid", int((own > first * (1 + 1e-12)).sum()), 0)
    margin = (second - first) / (second + first)
    checks.close("margin of every customer", run.assignments["margin"], margin, tolerance=1e-6)
    points = scaled_matrix(run)
    means = np.array([points[tiers == tier].mean(axis=0) for tier in range(1, run.model["k"] + 1)])
    checks.close("each centroid is the mean of its customers", run.model["centroids"], means)


def check_names(checks, run, data):
    tiers, model = run.tiers["tiers"], run.model
    identity = ("key", "rank", "name", "name_zh", "code")
    checks.equal("tiers.json and model.json name the same tiers", *[[[t[key] for key in identity] for t in of] for of in (tiers, model["tiers"])])
    checks.equal("ranks are 1..k", [tier["rank"] for tier in tiers], list(range(1, model["k"] + 1)))
    for key in ("key", "name", "name_zh"):
        checks.equal(f"each {key} once", len({tier[key] for tier in tiers}), model["k"])
    named = run.assignments.select("tier", "tier_key", "tier_name").unique().sort("tier").rows()
    checks.equal("assignments name the tiers as tiers.json", named, [(t["rank"], t["key"], t["name"]) for t in tiers])
    # 1 is good: bought recently, so a recency below the mean of all.
    good = [["01"[side < 0 if name == "recency_days" else side > 0] for side, name in zip(centroid, FEATURES)] for centroid in model["centroids"]]
    checks.equal("codes say on which side of the mean the centroid lies", [t["code"] for t in tiers], ["".join(code) for code in good])


def check_tiers(checks, run, data):
    tiers, assignments = run.tiers["tiers"], run.assignments
    total = math.fsum(data.customers["monetary"])
    checks.equal("tiers.json: customers", run.tiers["customers"], data.customers.height)
    checks.close("tiers.json: revenue", run.tiers["revenue"], total)
    checks.equal("tiers.json: as_of", run.tiers["as_of"][:10], data.as_of.date().isoformat())
    members = [assignments.filter(pl.col("tier") == tier["rank"]) for tier in tiers]
    revenue = [math.fsum(of["monetary"]) for of in members]
    checks.equal("tiers: customers", [tier["customers"] for tier in tiers], [of.height for of in members])
    checks.close("tiers: share of customers", [t["customer_share"] for t in tiers], [of.height / assignments.height for of in members])
    checks.close("tiers: revenue", [tier["revenue"] for tier in tiers], revenue)
    checks.close("tiers: share of revenue", [tier["revenue_share"] for tier in tiers], [part / total for part in revenue])
    checks.equal("tiers: shares add up to 1", [round(math.fsum(t[key] for t in tiers), 9) for key in ("customer_share", "revenue_share")], [1.0, 1.0])
    for feature in FEATURES:
        values = [of[feature].cast(pl.Float64) for of in members]
        for figure in ("mean", "median", "min", "max"):
            expected = [math.fsum(column) / len(column) if figure == "mean" else getattr(column, figure)() for column in values]
            checks.close(f"tiers: {figure} of {feature}", [tier[feature][figure] for tier in tiers], expected)
    means = [tier["monetary"]["mean"] for tier in tiers]
    checks.equal("tiers: ranked by mean monetary", means, sorted(means, reverse=True))
    checks.equal("tiers: scaled centroids are those of the model", [tier["centroid_scaled"] for tier in tiers], run.model["centroids"])
    for index, feature in enumerate(run.model["features"]):
        scaled = np.array(run.model["centroids"])[:, index] / feature["weight"] * feature["spread"] + feature["center"]
        original = np.sign(scaled) * np.expm1(np.abs(scaled)) if feature["transform"] == "log1p" else scaled
        checks.close(f"tiers: centroid of {feature['name']} in its own unit", [t["centroid"][feature["name"]] for t in tiers], original)
    row = [row for row in run.tiers["k_table"] if row["k"] == run.model["k"]]
    checks.close("tiers: the k table holds the inertia of the chosen k", [entry["inertia"] for entry in row], [run.model["inertia"]])


def publish(checks, data, binary, out, *more):
    """Runs the binary; the run folder that `current` points to, or None."""
    command = [str(binary), "run", *data.flags, "--out", str(out), "--quiet", *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    said = done.stderr.strip() or done.stdout.strip()
    checks.that(f"{data.name}: {' '.join(['tiermill run', *more])} ends with exit code 0", done.returncode == 0, f"{done.returncode}: {said}")
    if done.returncode:
        return None
    runs = sorted(path.name for path in (out / "runs").iterdir())
    checks.equal(f"{data.name}: `current` is a link to the one run", [os.readlink(out / "current")], [f"runs/{name}" for name in runs])
    return out / "current"


def check_binary(checks, data, binary, folder):
    folder = folder / data.name.replace(" ", "_")
    run = publish(checks, data, binary, folder / "all_threads")
    if run is None:
        return
    check_run(checks, Run(run), data)
    again = publish(checks, data, binary, folder / "one_thread", "--threads", "1")
    if again is not None:
        different = [name for name in SAME_BYTES if (run / name).read_bytes() != (again / name).read_bytes()]
        checks.equal(f"{data.name}: the same bytes with one thread", different, [])


def check_published(checks, path, extra):
    path = path / "current" if (path / "current").exists() else path
    run = Run(path)
    name = pathlib.Path(run.manifest["inputs"][0]["path"]).name
    known = {"cdnow.parquet": cdnow, "online_retail.parquet": online_retail}
    if name not in known or (name == "online_retail.parquet" and not extra):
        checks.that(f"{path}: `{name}` is a data set that can be checked", False, "set TIERMILL_EXTRA_DATA" if name in known else "")
        return
    check_run(checks, run, known[name](extra))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="*", type=pathlib.Path, metavar="RUN_DIR", help="published run, or an out folder")
    parser.add_argument("--binary", type=pathlib.Path, default=BINARY, help="default: target/debug/tiermill")
    arguments = parser.parse_args()
    arguments.binary = arguments.binary.resolve()
    if not arguments.runs and not arguments.binary.is_file():
        sys.exit(f"error: there is no `{arguments.binary}`\n\nhint: cargo build --locked")
    extra = os.environ.get("TIERMILL_EXTRA_DATA")
    extra = pathlib.Path(extra).resolve() if extra else None
    checks = Checks()
    for path in arguments.runs:
        checks.group(f"{path} could be read", check_published, path, extra)
    if not arguments.runs:
        with tempfile.TemporaryDirectory(prefix="tiermill-check-") as folder:
            folder = pathlib.Path(folder)
            checks.group("cdnow could be checked", lambda _: check_binary(checks, cdnow(extra), arguments.binary, folder))
            if extra:
                checks.group("online retail could be checked", lambda _: check_binary(checks, online_retail(extra), arguments.binary, folder))
    if not extra:
        print("NOTE: TIERMILL_EXTRA_DATA is not set: Online Retail and the reference tables were NOT checked")
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
