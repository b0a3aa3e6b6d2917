"""Compare two runs.

Compare two sets of predictions for the same videos. Videos are drawn once for both, so that the interval of the
difference is far narrower than the two intervals side by side. The data are synthetic.
"""

import numpy as np

import abaw

rng = np.random.default_rng(0)
labels, first, second = {}, {}, {}
for k in range(30):
    name, values = f"video{k}", np.cumsum(rng.normal(0, 0.05, (400, 2)), axis=0).clip(-1, 1)
    noise = rng.normal(0, 0.25, values.shape)  # both runs err on the same frames
    labels[name] = values
    first[name] = (values + 0.8 * noise).clip(-1, 1)
    second[name] = (values + noise).clip(-1, 1)

a, b = (abaw.score("VA", predictions, labels) for predictions in (first, second))
for name, card in (("A", a), ("B", b)):
    print(f"{name}: mean CCC {card.headline.value:.3f} [{card.headline.low:.3f}, {card.headline.high:.3f}]")

comparison = abaw.compare(a, b)
difference = comparison.headline
print(
    f"A - B: {difference.difference:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}], p = {comparison.p_value:.4f}"
)
print(comparison.verdict)
