"""polars alone: the streaming group_by, then a table of the columns of assignments.parquet, written and synced. What loading and
publishing cost without any clustering; the tiers are quarters of the amount.
"""

import datetime
import os
import pathlib
import tempfile

import polars as pl
from common import Peer
from group_by import customers


def table(frame: pl.DataFrame) -> pl.DataFrame:
    """The columns, types and order of rows of assignments.parquet; texts are as long as those of tiermill."""
    day = pl.lit(datetime.date(2024, 12, 31), dtype=pl.Date)
    recency = (day.cast(frame.schema["last"]) - pl.col("last")).dt.total_days().cast(pl.Float64)
    tier = pl.col("amount").rank("ordinal").sub(1).mul(4).floordiv(pl.len()).cast(pl.Int32)
    keys = pl.Series([f"rfm-{code}-low-low" for code in ("a", "b", "c", "d")])
    names = pl.Series([f"Key retain · {code} highest spend" for code in ("a", "b", "c", "d")])
    nothing = pl.lit(None, dtype=pl.String)
    ranked = frame.sort("customer_id").with_columns(tier=tier, recency_days=recency)
    return ranked.select(
        "customer_id",
        day.alias("as_of"),
        "recency_days",
        pl.col("orders").cast(pl.Int64).alias("frequency"),
        pl.col("amount").alias("monetary"),
        pl.col("recency_days").add(30).alias("tenure_days"),
        *(pl.col("tier").cast(pl.Int8).alias(f"{feature}_score") for feature in "rfm"),
        pl.col("tier").add(1).alias("tier"),
        pl.lit(keys).gather(pl.col("tier")).alias("tier_key"),
        pl.lit(names).gather(pl.col("tier")).alias("tier_name"),
        pl.col("amount").log1p().cast(pl.Float32).alias("margin"),
        nothing.alias("segment"),
        nothing.alias("previous_tier_key"),
        day.alias("tier_since"),
    )


if __name__ == "__main__":
    peer = Peer(__doc__)
    with peer.stage("load"):
        frame = customers(peer.files)
    with peer.stage("tiers"):
        assigned = table(frame)
    with peer.stage("write"), tempfile.TemporaryDirectory(dir=pathlib.Path(peer.asked.folder).parent) as folder:
        with open(pathlib.Path(folder) / "assignments.parquet", "wb") as file:
            assigned.write_parquet(file, compression="zstd", compression_level=1)
            file.flush()
            os.fsync(file.fileno())
    peer.report(assigned.height)
