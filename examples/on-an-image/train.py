"""Cluster points on several threads, and print the digest of what was learnt."""

import hashlib

from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs


def main() -> None:
    """Fit, and print the digest of the centres."""
    points, _ = make_blobs(n_samples=2_000, centers=5, random_state=0)
    model = KMeans(n_clusters=5, n_init=2, random_state=0).fit(points)
    centres = model.cluster_centers_[model.cluster_centers_[:, 0].argsort()]
    print(f"centres sha256:{hashlib.sha256(centres.round(6).astype('<f8').tobytes()).hexdigest()}")


if __name__ == "__main__":
    main()
