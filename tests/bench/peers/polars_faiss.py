"""polars loads, faiss clusters: in float32, on all customers.

faiss subsamples to 256 rows per centroid and makes 25 iterations unless told otherwise. It stops here where the objective
gains less than a hundred-thousandth, which takes about as many iterations as scikit-learn's default tolerance.
"""

import faiss
import numpy as np
from common import Peer, features
from group_by import customers

if __name__ == "__main__":
    peer = Peer(__doc__)
    faiss.omp_set_num_threads(peer.asked.threads)
    with peer.stage("load"):
        frame = customers(peer.files)
    with peer.stage("features"):
        made = features(*(frame[name].to_numpy() for name in ("last", "orders", "amount")))
        matrix = made.matrix.astype(np.float32)
    with peer.stage("cluster"):
        model = faiss.Kmeans(
            matrix.shape[1],
            peer.asked.k,
            nredo=peer.asked.n_init,
            niter=300,
            early_stop_threshold=1e-5,
            init_method=faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS,
            min_points_per_centroid=1,
            max_points_per_centroid=len(matrix),
            seed=peer.asked.seed,
        )
        model.train(matrix)
    peer.report(len(matrix), centers=made.unscaled(model.centroids))
