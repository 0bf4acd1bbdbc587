"""What scikit-learn, numpy and scipy say about small inputs and about CDNOW, kept for the Rust tests.

    python tests/golden/make_golden.py            writes tests/data/golden_features.json, golden_cluster.json and golden_compare.json
    python tests/golden/make_golden.py --check    recomputes them and fails where the committed files differ

The k-means of the blobs (1,000 restarts) and of CDNOW (two times 50) is searched only when writing. `--check` starts at
the committed centers: they must be a fixed point with the same inertia, sizes and figures, and fresh restarts must find
nothing lower. Online Retail is not in the repository: TIERMILL_EXTRA_DATA names the folder that has it.
"""

import argparse
import datetime
import hashlib
import json
import math
import os
import pathlib
import platform
import sys

import numpy as np
import polars as pl
import scipy
import sklearn
from scipy.optimize import brentq
from scipy.stats import entropy
from sklearn.cluster import KMeans
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    calinski_harabasz_score,
    davies_bouldin_score,
    homogeneity_completeness_v_measure,
    mutual_info_score,
    silhouette_score,
)
from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, QuantileTransformer, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

ROOT = pathlib.Path(__file__).resolve().parents[2]
CDNOW = ROOT / "data" / "cdnow.parquet"
FILES = {name: ROOT / "tests" / "data" / f"golden_{name}.json" for name in ("features", "cluster", "compare")}
LEVELS = (0.2, 0.4, 0.6, 0.8)
CDNOW_K = (2, 3, 4, 5, 8)

# Equal to 1e-9, but for what scikit-learn's own search for lambda leaves open: it stops at a step of 1.5e-8. Ten restarts
# may end elsewhere on another machine.
TOLERANCE = 1e-9
# To scikit-learn a point lies the root of a rounding from itself, which is 0 or 1e-8 by processor: so much a cluster of one moves.
LOOSE = {"lambda": 1e-6, "transformed_with_lambda": 1e-6, "best_of_10": 1e-3, "davies_bouldin": 1e-7}

CASES = {
    # Ties, zeros, negatives and one huge value, in no order.
    "mixed": [
        0.0, 12.5, -3.0, 7.25, 0.0, 0.0, 150.0, 3.5, 3.5, -0.75, 22.0, 9.99, 1.0, 1.0, 1.0, 48.2, -120.0, 5.0, 0.01, 310.4,
        2.0, 2.0, 17.3, 64.0, 0.5, -3.0, 9.99, 33.3, 12.5, 80.1, 4.2, 6.6, 1250.0, 0.25, 2.75, 11.0, 28000.0, 3.5, 19.95, 7.0,
    ],
    # Amounts: never negative, skewed over five orders of magnitude.
    "amounts": [
        0.0, 11.77, 89.0, 156.46, 100.5, 385.61, 20.99, 264.67, 197.66, 95.85, 39.31, 58.55, 57.06, 72.99, 25.45, 130.62, 79.87,
        73.22, 14.96, 175.12, 653.01, 75.11, 14.37, 24.6, 57.77, 137.53, 102.69, 490.52, 152.07, 40.91, 28.5, 28.5, 4142.06, 0.99,
        13990.93, 6973.07, 8976.33, 280206.02, 77183.6, 12.0,
    ],
    # Order counts: whole numbers, almost all of them tied.
    "counts": [
        1.0, 1.0, 6.0, 4.0, 11.0, 1.0, 3.0, 8.0, 3.0, 1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 4.0, 1.0, 1.0, 2.0, 2.0,
        2.0, 1.0, 1.0, 2.0, 8.0, 2.0, 2.0, 10.0, 13.0, 2.0, 5.0, 5.0, 7.0, 17.0, 29.0, 1.0, 171.0, 146.0, 3.0, 1.0,
    ],
    # Days since the last order: bounded, most of them long ago.
    "days": [
        546.0, 535.0, 34.0, 201.0, 179.0, 546.0, 281.0, 3.0, 177.0, 545.0, 1.0, 545.0, 545.0, 545.0, 544.0, 294.0, 544.0, 545.0,
        530.0, 520.0, 532.0, 545.0, 545.0, 531.0, 23.0, 508.0, 462.0, 12.0, 7.0, 511.0, 98.0, 340.0, 60.0, 15.0, 6.0, 480.0, 2.0, 2.0,
        410.0, 519.0,
    ],
    "three": [1.0, 2.0, 10.0],
}
# Values that a fitted scaler has not seen: beyond both ends, between two neighbours, and on a tie.
PROBES = [-500.0, -1.0, 0.0, 0.3, 1.0, 2.5, 9.99, 57.5, 545.5, 1e6]


def lambda_optimum(values, near):
    """The root of the derivative of Yeo-Johnson's likelihood: as exact as floating point, unlike a search of its maximum."""
    sign, logs = np.where(values < 0, -1.0, 1.0), np.log1p(np.abs(values))

    def slope(lam):
        power = np.where(values < 0, 2.0 - lam, lam) * logs
        value = sign * logs * ratio(np.expm1, power)
        derivative = logs**2 * ratio(lambda t: np.exp(t) * (t - 1.0) + 1.0, power, order=2)
        return (sign * logs).sum() - len(values) * np.mean((value - value.mean()) * derivative) / value.var()

    return brentq(slope, near - 1e-3, near + 1e-3, xtol=1e-15, rtol=1e-14)


def ratio(function, t, order=1):
    """function(t) / t**order, by its series near zero: sum of t^n / (n+1)! or of t^n / (n! (n+2))."""
    near = np.abs(t) < 0.5
    term = (lambda n: math.factorial(n + 1)) if order == 1 else (lambda n: math.factorial(n) * (n + 2))
    series = sum(t**n / term(n) for n in range(20))
    safe = np.where(near, 1.0, t)
    return np.where(near, series, function(safe) / safe**order)


def yeo_johnson_at(values, lam):
    transformer = PowerTransformer(method="yeo-johnson", standardize=False).fit(values.reshape(-1, 1))
    transformer.lambdas_ = np.array([lam])
    return transformer.transform(values.reshape(-1, 1)).ravel()


def yeo_johnson(values):
    transformer = PowerTransformer(method="yeo-johnson", standardize=False).fit(values.reshape(-1, 1))
    return float(transformer.lambdas_[0]), lambda_optimum(values, transformer.lambdas_[0])


def type7(values):
    return [float(cut) for cut in np.quantile(values, LEVELS, method="linear")]


def case(values):
    values = np.array(values)
    column, probes = values.reshape(-1, 1), np.array(PROBES).reshape(-1, 1)
    found, optimum = yeo_johnson(values)
    zscore, robust, minmax = (scaler().fit(column) for scaler in (StandardScaler, RobustScaler, MinMaxScaler))
    n_quantiles = min(1000, len(values))
    quantile = QuantileTransformer(n_quantiles=n_quantiles, output_distribution="uniform", subsample=None).fit(column)

    def scaled(scaler, **parameters):
        return parameters | {
            "transformed": scaler.transform(column).ravel().tolist(),
            "probes": scaler.transform(probes).ravel().tolist(),
        }

    return {
        "values": values.tolist(),
        "quantiles_type7": type7(values),
        "log1p_signed": (np.sign(values) * np.log1p(np.abs(values))).tolist(),
        "yeo_johnson": {
            "lambda": found,
            "transformed_with_lambda": yeo_johnson_at(values, found).tolist(),
            "lambda_optimum": optimum,
            "transformed_with_optimum": yeo_johnson_at(values, optimum).tolist(),
        },
        "zscore": scaled(zscore, center=float(zscore.mean_[0]), spread=float(zscore.scale_[0])),
        "robust": scaled(robust, center=float(robust.center_[0]), spread=float(robust.scale_[0])),
        "minmax": {
            "center": float(minmax.data_min_[0]),
            "spread": float(minmax.data_range_[0]),
            "transformed": minmax.transform(column).ravel().tolist(),
            "probes": minmax.transform(probes).ravel().tolist(),
        },
        "quantile": scaled(quantile, n_quantiles=n_quantiles),
    }


def cdnow_customers():
    """Recency in whole days to 1998-07-01, customer-days, and the total summed in cents; sorted by customer."""
    as_of = datetime.date(1998, 7, 1)
    cents = (pl.col("amount") * 100).round().cast(pl.Int64)
    return (
        pl.read_parquet(CDNOW)
        .group_by("customer_id")
        .agg(
            (as_of - pl.col("date").max()).dt.total_days().cast(pl.Float64).alias("recency_days"),
            pl.col("date").n_unique().cast(pl.Float64).alias("frequency"),
            (cents.sum() / 100).alias("monetary"),
        )
        .sort("customer_id")
    )


def features():
    customers = cdnow_customers()
    columns = {}
    for name in ("recency_days", "frequency", "monetary"):
        values = customers[name].to_numpy()
        found, optimum = yeo_johnson(values)
        logs = np.log1p(values)
        columns[name] = {
            "sum": math.fsum(values),
            "min": float(values.min()),
            "max": float(values.max()),
            "median": float(np.median(values)),
            "quantiles_type7": type7(values),
            "yeo_johnson": {"lambda": found, "lambda_optimum": optimum},
            "zscore_of_log1p": {"center": math.fsum(logs) / len(logs), "spread": float(StandardScaler().fit(logs.reshape(-1, 1)).scale_[0])},
        }
    return {
        "made_with": versions(),
        "quantile_levels": list(LEVELS),
        "probes": PROBES,
        "cases": {name: case(values) for name, values in CASES.items()},
        "cdnow": {
            "sha256": hashlib.sha256(CDNOW.read_bytes()).hexdigest(),
            "as_of": "1998-07-01",
            "count": "days",
            "customers": customers.height,
            "columns": columns,
        },
    }


def blobs():
    """150 points around three centers, near enough to each other that k = 2 and k = 4 are not absurd."""
    random = np.random.RandomState(7)
    centers = np.array([[0.0, 0.0, 0.0], [3.0, 0.5, 1.0], [0.5, 3.5, -1.0]])
    return np.round(np.repeat(centers, [70, 50, 30], axis=0) + 0.8 * random.standard_normal((150, 3)), 6)


def by_first_appearance(labels):
    order = {}
    return [order.setdefault(int(label), len(order)) for label in labels]


def figures(points, labels):
    return {
        "silhouette": float(silhouette_score(points, labels)),
        "calinski_harabasz": float(calinski_harabasz_score(points, labels)),
        "davies_bouldin": float(davies_bouldin_score(points, labels)),
    }


def labeling(points, k, committed, weights=None):
    """Clusters in the order in which they first appear."""
    model = optimum(points, k, committed, seeds=[0], n_init=1000, fresh=50, weights=weights)
    labels = by_first_appearance(model.labels_)
    inside = [np.array(labels) == label for label in range(k)]
    weighted = {} if weights is None else {"sizes": [float(weights[rows].sum()) for rows in inside]}
    centers = [np.average(points[rows], axis=0, weights=None if weights is None else weights[rows]).tolist() for rows in inside]
    return {"inertia": float(model.inertia_), "centers": centers, "labels": labels} | weighted


def blobs_golden(committed):
    """Figures of the blobs; of the blobs with weights; and of the blobs repeated, as metrics know no weights."""
    points = blobs()
    random = np.random.RandomState(11)
    # Thousandths as f32 has them, a tenth of them 0.
    weights = np.round(random.gamma(1.5, size=150), 3).astype(np.float32).astype(float) * (random.uniform(size=150) < 0.9)
    times = random.poisson(1.5, size=150)
    repeated = np.repeat(points, times, axis=0)
    found = {"labelings": {}, "weighted": {}, "repeated": {}}
    for k in range(2, 7):
        known = {name: committed and committed["blobs"][name][f"k{k}"] for name in found}
        plain = labeling(points, k, known["labelings"])
        copies = labeling(repeated, k, known["repeated"])
        found["labelings"][f"k{k}"] = plain | figures(points, plain["labels"])
        found["weighted"][f"k{k}"] = labeling(points, k, known["weighted"], weights)
        found["repeated"][f"k{k}"] = figures(repeated, copies.pop("labels")) | copies
    two = found["labelings"]["k2"]["labels"]
    alone = [2 if index == int(np.argmax((points**2).sum(axis=1))) else label for index, label in enumerate(two)]
    found["labelings"]["cluster_of_one"] = {"labels": alone} | figures(points, alone)
    return {"points": points.tolist(), "weights": weights.tolist(), "times": times.tolist()} | found


def search(points, k, seeds, n_init=50, weights=None):
    models = [KMeans(k, n_init=n_init, tol=1e-8, max_iter=1000, random_state=seed).fit(points, sample_weight=weights) for seed in seeds]
    return min(models, key=lambda model: model.inertia_)


def optimum(points, k, committed, seeds, fresh, n_init=50, weights=None):
    """The best of many restarts, or what was committed if it is a fixed point and fresh restarts find nothing lower."""
    if not committed:
        return search(points, k, seeds, n_init, weights)
    model = KMeans(k, init=np.array(committed["centers"]), n_init=1, tol=0, max_iter=1000).fit(points, sample_weight=weights)
    lower = search(points, k, [2], fresh, weights).inertia_
    if lower < model.inertia_ * (1 - TOLERANCE):
        sys.exit(f"error: {len(points)} points, k = {k}: {fresh} restarts found inertia {lower!r}, below {model.inertia_!r}")
    return model


def scaled_logs(customers):
    logs = np.log1p(customers.to_numpy())
    return (logs - logs.mean(axis=0)) / logs.std(axis=0)


def best_of_10(points):
    return {f"k{k}": float(search(points, k, seeds=[0], n_init=10).inertia_) for k in range(2, 11)}


def cdnow_clusters(points, committed):
    """Clusters of z(log1p), the one with the greatest monetary center first."""
    found = {}
    for k in CDNOW_K:
        known = committed and committed["cdnow"]["clusters"][f"k{k}"]
        model = optimum(points, k, known, seeds=[0, 1], fresh=5)
        order = np.argsort(-model.cluster_centers_[:, 2])
        labels = np.argsort(order)[model.labels_]
        centers = [points[labels == label].mean(axis=0) for label in range(k)]
        # All pairs take long: the check looks at one k.
        measured = not known or k == 5
        found[f"k{k}"] = {
            "inertia": math.fsum(((points - np.array(centers)[labels]) ** 2).ravel()),
            "sizes": np.bincount(labels).tolist(),
            "centers": [center.tolist() for center in centers],
            "silhouette": float(silhouette_score(points, labels)) if measured else known["silhouette"],
            "calinski_harabasz": float(calinski_harabasz_score(points, labels)),
            "davies_bouldin": float(davies_bouldin_score(points, labels)),
        }
    return found


def online_retail(committed):
    """The best of ten restarts on the customers of the reference, which are not in the repository."""
    folder = os.environ.get("TIERMILL_EXTRA_DATA")
    if not folder:
        if not committed:
            sys.exit("error: TIERMILL_EXTRA_DATA is not set: it names the folder with expected/rfm_online_retail.parquet")
        print("NOTE: TIERMILL_EXTRA_DATA is not set: Online Retail was NOT checked")
        return committed["online_retail"]
    customers = pl.read_parquet(pathlib.Path(folder) / "expected" / "rfm_online_retail.parquet")
    return {"best_of_10": best_of_10(scaled_logs(customers.select("recency", "frequency", "monetary")))}


def cluster(committed=None):
    points = scaled_logs(cdnow_customers().select("recency_days", "frequency", "monetary"))
    return {
        "made_with": versions(),
        "blobs": blobs_golden(committed),
        "cdnow": {
            "as_of": "1998-07-01",
            "count": "days",
            "space": "zscore of log1p, population deviation",
            "clusters": cdnow_clusters(points, committed),
            "best_of_10": best_of_10(points),
        },
        "online_retail": online_retail(committed),
    }


def tables():
    """Cross tables of two tierings: rows are tiers of A, columns of B."""
    random = np.random.RandomState(23)
    shares = np.outer([0.05, 0.15, 0.3, 0.5], [0.4, 0.3, 0.2, 0.07, 0.03])
    likely = np.outer([0.02, 0.08, 0.1, 0.15, 0.2, 0.2, 0.15, 0.1], [0.5, 0.2, 0.1, 0.1, 0.05, 0.05]) + 0.02 * np.eye(8, 6)
    return {
        "by_hand": [[3, 1], [0, 2]],
        "same": [[5, 0, 0], [0, 7, 0], [0, 0, 11]],
        "same_in_another_order": [[0, 0, 5], [7, 0, 0], [0, 11, 0]],
        "split": [[4, 6, 0, 0], [0, 0, 3, 7]],
        "independent": [[10, 20, 30], [20, 40, 60]],
        "worse_than_chance": [[0, 5], [5, 0], [1, 1]],
        "one_tier_against_three": [[2, 3, 4]],
        "three_tiers_against_one": [[2], [3], [4]],
        "one_against_one": [[9]],
        "all_alone": np.eye(6, dtype=int).tolist(),
        "alone_against_two": [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]],
        "empty_tiers": [[3, 0, 1], [0, 0, 0], [1, 0, 4]],
        "two_customers": [[1, 0], [0, 1]],
        "by_chance": random.multinomial(2_000, shares.ravel()).reshape(shares.shape).tolist(),
        "a_little_alike": random.multinomial(200_000, (likely / likely.sum()).ravel()).reshape(likely.shape).tolist(),
        "one_holds_almost_all": [[299_990, 3], [4, 3]],
        "large_and_alike": [[150_000, 20, 5], [30, 90_000, 11], [2, 40, 60_000]],
    }


def agreement(table):
    """All figures of scikit-learn for a cross table; variation of information and purity from their definitions."""
    table = np.array(table)
    places = np.argwhere(table >= 0)
    a, b = np.repeat(places[:, 0], table.ravel()), np.repeat(places[:, 1], table.ravel())
    homogeneity, completeness, v_measure = homogeneity_completeness_v_measure(a, b)
    return {
        "table": table.tolist(),
        "adjusted_rand": float(adjusted_rand_score(a, b)),
        "adjusted_mutual_info": float(adjusted_mutual_info_score(a, b)),
        "expected_mutual_info": float(expected_mutual_information(contingency_matrix(a, b, sparse=True), len(a))),
        "v_measure": v_measure,
        "homogeneity": homogeneity,
        "completeness": completeness,
        "variation_of_information": float(entropy(table.sum(axis=1)) + entropy(table.sum(axis=0)) - 2 * mutual_info_score(a, b)),
        "purity_a_by_b": float(table.max(axis=0).sum() / table.sum()),
        "purity_b_by_a": float(table.max(axis=1).sum() / table.sum()),
    }


def compare(committed=None):
    return {"made_with": versions(), "tables": {name: agreement(table) for name, table in tables().items()}}


def versions():
    modules = {"numpy": np, "scipy": scipy, "scikit-learn": sklearn, "polars": pl}
    return {"python": platform.python_version()} | {name: module.__version__ for name, module in modules.items()}


def text(value, indent=0):
    """JSON with a list of numbers on one line, so that a change shows as one line."""
    pad = " " * (indent + 1)
    if isinstance(value, dict):
        inner = ",\n".join(f"{pad}{json.dumps(key)}: {text(item, indent + 1)}" for key, item in value.items())
        return f"{{\n{inner}\n{' ' * indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        inner = ",\n".join(pad + text(item, indent + 1) for item in value)
        return f"[\n{inner}\n{' ' * indent}]"
    return json.dumps(value, allow_nan=False)


def differences(committed, fresh, path="", tolerance=TOLERANCE):
    """Where two trees differ, as lines to read."""
    if isinstance(committed, dict) and isinstance(fresh, dict):
        for key in sorted(committed.keys() | fresh.keys()):
            if key not in committed or key not in fresh:
                yield f"{path}.{key}: only in the {'committed file' if key in committed else 'fresh result'}"
            elif key != "made_with":
                yield from differences(committed[key], fresh[key], f"{path}.{key}", LOOSE.get(key, tolerance))
    elif isinstance(committed, list) and isinstance(fresh, list):
        if len(committed) != len(fresh):
            yield f"{path}: {len(committed)} values committed, {len(fresh)} now"
        for index, pair in enumerate(zip(committed, fresh)):
            yield from differences(*pair, f"{path}[{index}]", tolerance)
    elif isinstance(committed, float) and isinstance(fresh, float):
        if not math.isclose(committed, fresh, rel_tol=tolerance, abs_tol=1e-12):
            yield f"{path}: committed {committed!r}, now {fresh!r}"
    elif committed != fresh or type(committed) is not type(fresh):
        yield f"{path}: committed {committed!r}, now {fresh!r}"


MAKERS = {"features": lambda committed: features(), "cluster": cluster, "compare": compare}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare the committed files with a fresh result, write nothing")
    check = parser.parse_args().check
    if not check:
        FILES["features"].parent.mkdir(exist_ok=True)
        for name, fresh in (("features", features()), ("cluster", cluster()), ("compare", compare())):
            FILES[name].write_text(text(fresh) + "\n", encoding="utf-8")
            print(f"wrote {FILES[name].relative_to(ROOT)}")
        return
    failed = 0
    for name, path in FILES.items():
        committed = json.loads(path.read_text(encoding="utf-8"))
        found = list(differences(committed, MAKERS[name](committed)))
        for line in found[:20]:
            print(f"{path.name}: {line}", file=sys.stderr)
        failed += len(found)
        print(f"{'ok' if not found else 'FAILED'}: {path.relative_to(ROOT)}: {len(found)} differences")
    if failed:
        sys.exit("error: the committed golden files are not what the libraries say now\n\nhint: python tests/golden/make_golden.py writes them anew")


if __name__ == "__main__":
    # Sums in one thread come out the same on every machine.
    with threadpool_limits(limits=1):
        main()
