"""Checks `tiermill sql` from outside: its query, run over the same Parquet, gives every customer the tier of the run.

    python tests/outside/check_sql.py      runs the binary on CDNOW (and Online Retail), then the queries; and thresholds.sql

DuckDB and polars run the query of their dialect. Postgres, BigQuery, Snowflake and Spark are not here: that their query
can be parsed is checked with sqlglot, and what sqlglot makes of it for DuckDB is run, too. A customer on a border between
two tiers (margin below 1e-9) may be in either; such customers are counted. TIERMILL_EXTRA_DATA as in check_run.py.
"""

import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import duckdb
import polars as pl
import sqlglot

from check_run import BINARY, ROOT, Checks

BORDER = 1e-9
EXACT = ("frequency", "r_score", "f_score", "m_score")
OTHERS = ("postgres", "bigquery", "snowflake", "spark")
CDNOW = "--customer customer_id --time date --amount amount".split()
RETAIL = "--customer customer_id --time invoice_date --order invoice_no --amount".split() + ["quantity * unit_price"]
SOLD = "customer_id IS NOT NULL AND invoice_no NOT LIKE 'C%' AND quantity > 0 AND unit_price > 0"
READY = "--level customers --customer customer_id --tenure-column tenure_days".split()
WEIGHTS = """
[features.monetary]
weights = { Netherlands = 0.5, EIRE = -1.25, "Channel Islands" = 3 }
"""
NESTED = """
[rules]
name = "nested"
[rules.scores]
nested = true
bands = 3
merge-equal = true
[[rules.segments]]
name = "it's the top"
cells = ["333", "33*", "3*3"]
[[rules.segments]]
name = "good"
sum = ">= 7"
otherwise = true
[[rules.segments]]
name = "new"
first_order = "within 90d"
otherwise = true
[[rules.segments]]
name = "rest"
otherwise = true
""".replace("merge-equal = true\n", "").replace('name = "nested"', 'name = "nested"\nmerge-equal = true\nallow-overlap = true')


class Case:
    """A model, the columns of its table, and what was said when it was fitted."""

    def __init__(self, name, path, columns, flags, config="", again=()):
        self.name, self.path, self.columns, self.config = name, path, columns, config
        self.flags = flags.split() if isinstance(flags, str) else flags
        # What a model does not hold: as-of.
        self.again = list(again)


def cdnow_cases():
    path = ROOT / "data" / "cdnow.parquet"
    cases = {
        "k-means": "--count days --k 5",
        "window": "--window 365d --k 4 --recency calendar --monetary mean --rules eight",
        "yeo-johnson": "--transform yeo-johnson --scale robust --winsorise 0.01 --k 5 --count days",
        "quantile scale": "--scale quantile --transform none --k 4 --recency exact",
        "quantiles of logarithms": "--scale quantile --k 4 --winsorise 0.01",
        "five features": "--features recency_days,frequency,monetary,tenure_days,aov --scale minmax --k 6",
        "breaks": "--method breaks --bands 3 --count days --winsorise 0.05",
        "breaks of quantiles": "--method breaks --bands 2 --scale quantile --recency exact",
        "mixture": "--algorithm gmm --k 3 --count days",
        "rules": "--rules enumerated-11 --k 3",
    }
    for name, flags in cases.items():
        yield Case(f"cdnow, {name}", path, CDNOW, flags)
    as_of = ("--as-of", "1998-03-15T06:30")
    yield Case("cdnow, as-of", path, CDNOW, "--count days --k 5 --window 200d", again=as_of)
    yield Case("cdnow, nested rules", path, CDNOW, "--k 3", config=NESTED)
    yield Case("cdnow, no amounts", path, CDNOW[:4], "--k 3 --features recency_days,frequency")


def retail_cases(path, folder):
    sold = ["--where", SOLD, "--deduplicate"]
    yield Case("retail, k-means", path, RETAIL, [*sold, "--k", "5"], again=("--as-of", "2011-12-10T12:50"))
    yield Case("retail, breaks", path, RETAIL, [*sold, "--method", "breaks", "--bands", "3"])
    yield Case("retail, rules", path, RETAIL, [*sold, "--k", "3", "--rules", "grid-10"])
    named = ["--where", "customer_id IS NOT NULL", "--max-rejected", "1"]
    for refunds in ("net", "keep", "drop"):
        yield Case(f"retail, refunds {refunds}", path, RETAIL, [*named, "--refunds", refunds, "--k", "5", "--window", "180d"])
    events = ["--customer", "customer_id", "--time", "invoice_date", "--event", "country"]
    yield Case("retail, events", path, events, ["--max-rejected", "1", "--features", "recency_days,frequency", "--k", "3"], config=WEIGHTS)
    # Instants, Decimals, text for dates, and dirt.
    zoned = folder / "zoned.parquet"
    rows = pl.read_parquet(path).with_columns(
        pl.col("invoice_date").dt.replace_time_zone("UTC"), pl.col("unit_price").cast(pl.Decimal(18, 6))
    )
    rows.write_parquet(zoned)
    flags = ["--max-rejected", "1", "--count", "days", "--recency", "calendar", "--timezone", "Asia/Tokyo", "--k", "4"]
    columns = "--customer customer_id --time invoice_date --amount unit_price".split()
    yield Case("retail, instants", zoned, columns, [*flags, "--window", "100d"])
    dirty = folder / "dirty.parquet"
    rows = pl.read_parquet(path).head(60_000).with_row_index()
    odd = pl.col("index")
    rows.with_columns(
        invoice_date=pl.when(odd % 97 == 0).then(None).when(odd % 89 == 0).then(pl.datetime(1, 1, 1)).otherwise(pl.col("invoice_date")),
        unit_price=pl.when(odd % 83 == 0).then(float("nan")).when(odd % 79 == 0).then(float("inf")).otherwise(pl.col("unit_price")).cast(pl.Float32),
        customer_id=pl.when(odd % 73 == 0).then(pl.lit("")).otherwise(pl.col("customer_id")),
        invoice_no=pl.when(odd % 71 == 0).then(None).otherwise(pl.col("invoice_no")),
    ).write_parquet(dirty)
    yield Case("retail, dirt", dirty, RETAIL, ["--max-rejected", "1", "--k", "3"])


def tiermill(folder, *arguments):
    done = subprocess.run([str(BINARY.resolve()), *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"tiermill {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def query(case, folder, dialect, table):
    config = ["--config", str(folder / "tiermill.toml")]
    time = ["--time-type", "timestamptz"] if "instants" in case.name else []
    of_input = ["--input", str(case.path)] if "instants" in case.name else []
    return tiermill(
        folder, "sql", "--model", str(folder / "out" / "current" / "model.json"), "--dialect", dialect,
        "--table", table, *case.columns, *case.again, *(of_input or time), *config,
    )


def same(checks, what, found, run):
    """Every customer once, with the figures, the scores, the segment and the tier of the run."""
    customer = run.columns[0]
    found = found.sort(customer)
    checks.that(f"{what}: the same customers", found[customer].cast(pl.String).equals(run[customer].cast(pl.String)))
    if found.height != run.height:
        return
    for column in ("recency_days", "monetary"):
        checks.close(f"{what}: {column}", found[column], run[column])
    for column in (*EXACT, *(["segment"] if "segment" in found.columns else [])):
        differ = found[column].cast(run.schema[column]).ne_missing(run[column]).sum()
        checks.equal(f"{what}: {column}", differ, 0)
    other = found["tier"].cast(pl.Int32) != run["tier"]
    border = run["margin"] < BORDER
    on_border = int((other & border).sum())
    checks.equal(f"{what}: tier of {run.height} customers, {on_border} on a border", int((other & ~border).sum()), 0)
    names = run.select("tier", "tier_key", "tier_name").unique().sort("tier").rows()
    said = found.select(pl.col("tier").cast(pl.Int32), "tier_key", "tier_name").unique().sort("tier").rows()
    checks.that(f"{what}: key and name of the tiers", set(said) <= set(names) or on_border)


def in_duckdb(text, path, zone):
    """The zone of the session should have no say."""
    connection = duckdb.connect()
    connection.execute(f"SET TimeZone = '{zone}'")
    connection.execute(f"CREATE VIEW orders AS SELECT * FROM read_parquet('{path}')")
    found = connection.execute(text)
    names = [column[0] for column in found.description]
    return pl.DataFrame(found.fetchall(), schema=names, orient="row", infer_schema_length=None)


def check(checks, case, folder):
    folder = folder / case.name.replace(" ", "_").replace(",", "")
    folder.mkdir()
    (folder / "tiermill.toml").write_text(case.config, encoding="utf-8")
    tiermill(folder, "run", "--input", str(case.path), *case.columns, *case.flags, *case.again, "--quiet")
    run = pl.read_parquet(folder / "out" / "current" / "assignments.parquet")
    text = query(case, folder, "duckdb", f"read_parquet('{case.path}')")
    same(checks, f"{case.name}, duckdb", in_duckdb(text, case.path, "America/New_York"), run)
    if "instants" not in case.name:
        text = query(case, folder, "polars", "orders")
        context = pl.SQLContext(orders=pl.scan_parquet(case.path))
        same(checks, f"{case.name}, polars", context.execute(text, eager=True), run)
    for dialect in OTHERS:
        text = query(case, folder, dialect, "orders")
        parsed = sqlglot.parse(text, read=dialect, error_level=sqlglot.ErrorLevel.RAISE)
        checks.equal(f"{case.name}, {dialect}: one statement", len(parsed), 1)
        try:
            # That of BigQuery is always UTC, and what sqlglot makes of it relies on that.
            found = in_duckdb(parsed[0].sql(dialect="duckdb"), case.path, "UTC")
        except duckdb.Error as error:
            print(f"NOTE: {case.name}, {dialect}: parsed, but not run: {str(error).splitlines()[0]}")
            continue
        same(checks, f"{case.name}, {dialect} transposed to duckdb", found, run)


def check_thresholds(checks, folder):
    """thresholds.sql over whole numbers, and over a customer of a LEFT JOIN, who has none."""
    folder = folder / "thresholds"
    folder.mkdir()
    (folder / "tiermill.toml").write_text('[tiers]\ntier-names = ["it\'s\\\\", "second", "third"]\n', encoding="utf-8")
    flags = ["--input", str(ROOT / "data" / "cdnow.parquet"), *CDNOW, "--k", "3", "--features", "recency_days,aov", "--decimals", "0", "--quiet"]
    tiermill(folder, "calibrate", *flags, "--out", "told", "--resamples", "100")
    for which in ("thresholds", "clusters"):
        tiermill(folder, "run", *flags, "--rules", f"told/{which}.toml", "--out", which)
    scores, tiers = (pl.read_parquet(folder / which / "current" / "assignments.parquet") for which in ("thresholds", "clusters"))
    text = (folder / "told" / "thresholds.sql").read_text(encoding="utf-8")
    checks.that("thresholds.sql asks for the amount per order", "monetary / NULLIF(frequency" in text)
    rows = scores.select("customer_id", "recency_days", "frequency", pl.col("monetary").cast(pl.Int64)).rows()
    expected = list(zip(*(scores[name] for name in ("r_score", "f_score", "m_score")), tiers["segment"]))
    create = "CREATE TABLE customers (customer_id VARCHAR, recency_days DOUBLE, frequency BIGINT, monetary BIGINT)"
    lite = sqlite3.connect(":memory:")
    # Functions that it calls otherwise, or knows only lately.
    lite.create_function("CHR", 1, chr)
    lite.create_function("CONCAT", -1, lambda *parts: "".join(parts))
    for name, connection in (("duckdb", duckdb.connect()), ("sqlite", lite)):
        connection.execute(create)
        connection.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", [*rows, ("nobody", None, None, None)])
        given = {row[0]: tuple(row[4:]) for row in connection.execute(text).fetchall()}
        checks.equal(f"{name}: who has no orders has no score and no tier", given.pop("nobody"), (None,) * 4)
        checks.equal(f"{name}: scores and tiers of the rule files", [given[row[0]] for row in rows], expected)


def ready_case(folder):
    """The customers of a run as a table that somebody else made."""
    run = pl.read_parquet(folder / "cdnow_k-means" / "out" / "current" / "assignments.parquet")
    path = folder / "ready.parquet"
    run.select("customer_id", "recency_days", "frequency", "monetary", "tenure_days").write_parquet(path)
    as_of = ("--as-of", "1998-07-01")
    return Case("ready customers", path, READY, "--features recency_days,frequency,monetary,aov --k 5", again=as_of)


def main():
    if not BINARY.is_file():
        sys.exit(f"error: there is no `{BINARY}`\n\nhint: cargo build --locked")
    checks = Checks()
    only = sys.argv[1] if len(sys.argv) == 2 else ""
    extra = os.environ.get("TIERMILL_EXTRA_DATA")
    with tempfile.TemporaryDirectory(prefix="tiermill-sql-") as folder:
        folder = pathlib.Path(folder)
        cases = list(cdnow_cases())
        if extra:
            cases += retail_cases(pathlib.Path(extra).resolve() / "online_retail.parquet", folder)
        for case in cases:
            if only in case.name:
                checks.group(f"{case.name} could be checked", lambda _, case=case: check(checks, case, folder))
        if not only:
            checks.group("ready customers could be checked", lambda _: check(checks, ready_case(folder), folder))
            checks.group("thresholds could be checked", lambda _: check_thresholds(checks, folder))
    if not extra:
        print("NOTE: TIERMILL_EXTRA_DATA is not set: Online Retail was NOT checked")
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
