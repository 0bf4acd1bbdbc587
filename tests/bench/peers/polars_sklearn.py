"""polars loads, scikit-learn clusters."""

from common import Peer
from group_by import customers
from scikit import fit_and_report

if __name__ == "__main__":
    peer = Peer(__doc__)
    with peer.stage("load"):
        frame = customers(peer.files)
    fit_and_report(peer, *(frame[name].to_numpy() for name in ("last", "orders", "amount")))
