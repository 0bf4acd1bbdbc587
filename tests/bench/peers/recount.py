"""No contestant but the referee: inertia of everybody's centers, on the same features of all customers, in float64.

Reads `{name: centers before standardising}` from stdin, prints `{name: inertia}`.
"""

import json
import sys

from common import Peer, features, inertia
from group_by import customers

if __name__ == "__main__":
    peer = Peer(__doc__)
    # Sorted, so that the same centers give the same last bit on every day.
    frame = customers(peer.files).sort("customer_id")
    made = features(*(frame[name].to_numpy() for name in ("last", "orders", "amount")))
    centers = json.load(sys.stdin)
    print(json.dumps({name: inertia(made.matrix, made.scaled(found)) for name, found in centers.items()}))
