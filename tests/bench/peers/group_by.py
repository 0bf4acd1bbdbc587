"""polars alone: the streaming group_by of the three columns, collected. The yardstick for a whole run of tiermill."""

import polars as pl
from common import Peer


def customers(files: str) -> pl.DataFrame:
    """One row per customer: the newest order, how many there are, what they amount to."""
    return (
        pl.scan_parquet(files)
        .group_by("customer_id")
        .agg(pl.col("ordered_at").max().alias("last"), pl.len().alias("orders"), pl.col("amount").sum())
        .collect(engine="streaming")
    )


if __name__ == "__main__":
    peer = Peer(__doc__)
    with peer.stage("load"):
        frame = customers(peer.files)
    peer.report(frame.height)
