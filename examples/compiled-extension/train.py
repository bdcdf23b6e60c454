"""Fit a line to noisy points, with every sum done by the compiled extension."""

import numpy as np
from sums import total


def main() -> None:
    """Fit, and print the line to the last bit."""
    generator = np.random.default_rng(0)
    x = generator.uniform(size=100_000)
    y = 3 * x + 1 + generator.normal(scale=0.1, size=x.size)
    mean_x, mean_y = total(x) / x.size, total(y) / y.size
    slope = total((x - mean_x) * (y - mean_y)) / total((x - mean_x) ** 2)
    print(f"slope {slope!r}")
    print(f"intercept {mean_y - slope * mean_x!r}")


if __name__ == "__main__":
    main()
