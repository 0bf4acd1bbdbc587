"""What all peers share: arguments, features, stage times and the JSON they print. Needs nothing but numpy, so that no
peer pays for another's imports.
"""

import argparse
import json
import time
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

ROWS_AT_ONCE = 1 << 18


class Features(NamedTuple):
    """log1p of recency, frequency and monetary, standardised: (log - center) / spread."""

    matrix: np.ndarray
    center: np.ndarray
    spread: np.ndarray

    def unscaled(self, centers: np.ndarray) -> list[list[float]]:
        """Centers before standardising, as all contestants report them."""
        return (np.asarray(centers, dtype=float) * self.spread + self.center).tolist()

    def scaled(self, centers: list[list[float]]) -> np.ndarray:
        return (np.asarray(centers) - self.center) / self.spread


def features(last: np.ndarray, orders: np.ndarray, amount: np.ndarray) -> Features:
    """As-of is midnight after the newest order, and recency the whole days that elapsed: tiermill's defaults."""
    as_of = last.max().astype("datetime64[D]") + np.timedelta64(1, "D")
    recency = (as_of.astype(last.dtype) - last) // np.timedelta64(1, "D")
    return standardised(np.log1p(np.column_stack((recency, orders, amount)).astype(float)))


def standardised(logs: np.ndarray) -> Features:
    """A constant feature keeps its unit, as scikit-learn's StandardScaler has it; its mean may be rounded."""
    center, spread = logs.mean(axis=0), logs.std(axis=0)
    spread[spread <= 1e-13 * np.abs(center)] = 1.0
    return Features((logs - center) / spread, center, spread)


def inertia(matrix: np.ndarray, centers: np.ndarray) -> float:
    """Sum of squared distances to the nearest center, by plain differences in float64: no product cancels."""
    total = 0.0
    for first in range(0, len(matrix), ROWS_AT_ONCE):
        rows = matrix[first : first + ROWS_AT_ONCE]
        total += np.min([((rows - center) ** 2).sum(axis=1) for center in centers], axis=0).sum()
    return float(total)


class Peer:
    """One run of one peer: what it was asked, how long its stages took, what it found."""

    def __init__(self, description: str):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("folder", help="of Parquet files with customer_id, ordered_at and amount")
        parser.add_argument("--threads", type=int, default=2)
        parser.add_argument("--k", type=int, default=5)
        parser.add_argument("--n-init", type=int, default=10)
        parser.add_argument("--seed", type=int, default=42)
        self.asked = parser.parse_args()
        self.files = f"{self.asked.folder}/*.parquet"
        self.stages: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str):
        started = time.perf_counter()
        yield
        self.stages[name] = time.perf_counter() - started

    def report(self, customers: int, **found) -> None:
        print(json.dumps({"customers": customers, "stages": self.stages, **found}))
