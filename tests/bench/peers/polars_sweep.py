"""polars loads, scikit-learn tries k = 2..10 and takes the best silhouette of 10,000 rows: by hand what `--k auto` does."""

from common import Peer, features
from group_by import customers
from scikit import fitted
from sklearn.metrics import silhouette_score

if __name__ == "__main__":
    peer = Peer(__doc__)
    with peer.stage("load"):
        frame = customers(peer.files)
    with peer.stage("features"):
        matrix = features(*(frame[name].to_numpy() for name in ("last", "orders", "amount"))).matrix
    table = []
    with peer.stage("cluster"):
        for k in range(2, 11):
            model = fitted(matrix, k, peer)
            sample = min(10_000, len(matrix))
            silhouette = silhouette_score(matrix, model.labels_, sample_size=sample, random_state=peer.asked.seed)
            table.append({"k": k, "inertia": model.inertia_, "silhouette": silhouette})
    best = max(table, key=lambda row: row["silhouette"])
    peer.report(len(matrix), k=best["k"], k_table=table)
