"""DuckDB loads, scikit-learn clusters."""

import duckdb
from common import Peer
from scikit import fit_and_report

CUSTOMERS = """
    SELECT max(ordered_at) AS last, count(*) AS orders, sum(amount) AS amount
    FROM read_parquet(?) GROUP BY customer_id
"""

if __name__ == "__main__":
    peer = Peer(__doc__)
    with peer.stage("load"), duckdb.connect(config={"threads": peer.asked.threads}) as connection:
        columns = connection.execute(CUSTOMERS, [peer.files]).fetchnumpy()
    fit_and_report(peer, *(columns[name] for name in ("last", "orders", "amount")))
