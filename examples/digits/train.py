"""Train a classifier on scikit-learn's own digits, and print the digest of what was learnt.

Equal digests mean equal models, to the last bit of every coefficient.
"""

import hashlib
import os

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Fit, score, and print both the accuracy and the model's digest."""
    seed = int(os.environ.get("PYTHONHASHSEED", "0"))
    images, labels = load_digits(return_X_y=True)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, labels, test_size=0.25, random_state=seed
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, random_state=seed))
    model.fit(train_images, train_labels)

    learnt = hashlib.sha256()
    for parameter in (model[0].mean_, model[0].scale_, model[1].coef_, model[1].intercept_):
        learnt.update(parameter.astype("<f8").tobytes())
    print(f"accuracy {model.score(test_images, test_labels):.4f}")
    print(f"model sha256:{learnt.hexdigest()}")


if __name__ == "__main__":
    main()
