"""Makes `cdnow.parquet` from the `CDNOW_master.txt` inside the installed PyPI package `lifetimes` 0.11.3.

    python data/convert_cdnow.py            writes data/cdnow.parquet
    python data/convert_cdnow.py --check    compares it with the source instead, and writes nothing

It downloads nothing. A source or a result that differs from what we know of the data ends it with exit code 1.
"""

import argparse
import datetime
import hashlib
import importlib.util
import math
import pathlib
import sys

import polars as pl

SOURCE_SHA256 = "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef"
TARGET = pathlib.Path(__file__).resolve().parent / "cdnow.parquet"
SCHEMA = {"customer_id": pl.String, "date": pl.Date, "units": pl.Int32, "amount": pl.Float64}


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"error: {what}: found {found}, expected {expected}")
    print(f"ok: {what}: {found}")


def read_source():
    """The text is fixed width: blank, five digits, blank, yyyymmdd, units right-aligned, amount right-aligned."""
    package = importlib.util.find_spec("lifetimes")
    if package is None:
        sys.exit("error: the package `lifetimes` is not installed\n\nhint: pip install --no-deps lifetimes==0.11.3")
    path = pathlib.Path(package.submodule_search_locations[0]) / "datasets" / "CDNOW_master.txt"
    raw = path.read_bytes()
    expect("sha256 of CDNOW_master.txt", hashlib.sha256(raw).hexdigest(), SOURCE_SHA256)
    header, *lines = raw.decode("ascii").splitlines()
    expect("header", header.split(), ["customer_id", "date", "number_of_cds", "dollar_value"])
    fields = [line.split() for line in lines]
    expect("lines without four fields", sum(len(row) != 4 for row in fields), 0)
    customers, dates, units, amounts = zip(*fields)
    expect("customers without five digits", sum(len(c) != 5 or not c.isdigit() for c in customers), 0)
    return pl.DataFrame(
        {
            "customer_id": customers,
            "date": [datetime.datetime.strptime(date, "%Y%m%d").date() for date in dates],
            "units": [int(unit) for unit in units],
            "amount": [float(amount) for amount in amounts],
        },
        schema=SCHEMA,
    )


def check(orders):
    expect("schema", dict(orders.schema), SCHEMA)
    expect("rows", orders.height, 69_659)
    expect("nulls", sum(orders.null_count().row(0)), 0)
    expect("customers", orders["customer_id"].n_unique(), 23_570)
    expect("first customer", orders["customer_id"].min(), "00001")
    expect("last customer", orders["customer_id"].max(), "23570")
    expect("first date", orders["date"].min().isoformat(), "1997-01-01")
    expect("last date", orders["date"].max().isoformat(), "1998-06-30")
    expect("sum of amounts", f"{math.fsum(orders['amount']):.2f}", "2500315.63")
    expect("sum of units", orders["units"].sum(), 167_881)


def check_oddities(orders):
    """What README.md says of the data, measured again."""
    amount, units = orders["amount"], orders["units"]
    expect("rows of amount zero", (amount == 0).sum(), 80)
    expect("rows of negative amount", (amount < 0).sum(), 0)
    expect("amounts finer than a cent", ((amount * 100 - (amount * 100).round()).abs() > 1e-6).sum(), 0)
    expect("units, least and most", (units.min(), units.max()), (1, 99))
    expect("repeats of an identical row", orders.height - orders.unique().height, 255)
    expect("days without an order", 546 - orders["date"].n_unique(), 0)
    expect("sorted by customer, then date", orders.select("customer_id", "date").equals(
        orders.select("customer_id", "date").sort("customer_id", "date")), True)
    expect("largest row", orders.sort("amount").row(-1), ("08830", datetime.date(1998, 6, 10), 99, 1286.01))
    months = dict(orders["date"].dt.strftime("%Y-%m").value_counts().rows())
    expect("rows of March and April 1997", (months["1997-03"], months["1997-04"]), (11_598, 3_781))
    customers = orders.group_by("customer_id").agg(
        pl.col("date").n_unique().alias("days"),
        pl.len().alias("rows"),
        pl.col("date").min().alias("first"),
        pl.col("date").max().alias("last"),
        pl.col("amount").sum().alias("total"),
    ).sort("total", descending=True)
    expect("customer-days", customers["days"].sum(), 67_591)
    rows_of_a_day = orders.group_by("customer_id", "date").len()["len"]
    expect("customer-days of several rows, and the most rows", ((rows_of_a_day > 1).sum(), rows_of_a_day.max()), (1_774, 16))
    expect("customers of one day", (customers["days"] == 1).sum(), 12_054)
    expect("their part of the money", round(customers.filter(pl.col("days") == 1)["total"].sum() / 2_500_315.63, 4), 0.1470)
    expect("customers of one row", (customers["rows"] == 1).sum(), 11_908)
    expect("customers of total zero", (customers["total"] == 0).sum(), 68)
    expect("newest first order", customers["first"].max().isoformat(), "1997-03-25")
    expect("customers without an order from 1997-04-01", (customers["last"] < datetime.date(1997, 4, 1)).sum(), 13_582)
    top = customers.select("customer_id", pl.col("total").round(2), "days", "rows")
    expect("top spender", top.row(0), ("07592", 13990.93, 146, 201))
    expect("second spender, who has the most days", top.row(1), ("14048", 8976.33, customers["days"].max(), 217))
    expect("part of the money with the top tenth", round(customers["total"].head(2_357).sum() / 2_500_315.63, 4), 0.5094)
    expect("part of the money with the top fifth", round(customers["total"].head(4_714).sum() / 2_500_315.63, 4), 0.6778)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare cdnow.parquet with the source, write nothing")
    arguments = parser.parse_args()
    orders = read_source()
    check(orders)
    check_oddities(orders)
    if not arguments.check:
        orders.write_parquet(TARGET, compression="zstd", compression_level=19, statistics=True)
    written = pl.read_parquet(TARGET)
    expect("schema of cdnow.parquet", dict(written.schema), SCHEMA)
    expect("cdnow.parquet equals the source, row by row", written.equals(orders), True)
    digest = hashlib.sha256(TARGET.read_bytes()).hexdigest()
    print(f"{TARGET.name}: {TARGET.stat().st_size} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
