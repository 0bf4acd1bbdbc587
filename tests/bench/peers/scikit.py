"""scikit-learn's k-means as most people call it, for the peers that differ in how they load."""

import numpy as np
from common import Features, Peer, features
from sklearn.cluster import KMeans


def fitted(matrix: np.ndarray, k: int, peer: Peer) -> KMeans:
    return KMeans(k, init="k-means++", n_init=peer.asked.n_init, random_state=peer.asked.seed).fit(matrix)


def fit_and_report(peer: Peer, last: np.ndarray, orders: np.ndarray, amount: np.ndarray) -> None:
    with peer.stage("features"):
        made: Features = features(last, orders, amount)
    with peer.stage("cluster"):
        model = fitted(made.matrix, peer.asked.k, peer)
    peer.report(len(made.matrix), centers=made.unscaled(model.cluster_centers_), inertia=model.inertia_, n_iter=model.n_iter_)
