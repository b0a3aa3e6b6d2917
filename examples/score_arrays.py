"""Score arrays.

Score predictions against labels, both arrays by video. Labels here are synthetic: the score says nothing about a model.
"""

import numpy as np

import abaw

rng = np.random.default_rng(0)
labels = {f"video{k}": np.repeat(rng.integers(0, 8, 10), 30) for k in range(20)}
labels["video0"][:30] = -1  # frames that nobody annotated count nowhere
predictions = {
    name: np.where(rng.random(len(values)) < 0.3, rng.integers(0, 8, len(values)), values.clip(0))
    for name, values in labels.items()
}

card = abaw.score("EXPR", predictions, labels)
headline = card.headline
print(f"macro-F1 {headline.value:.3f}, 95 % interval over videos [{headline.low:.3f}, {headline.high:.3f}]")
print(card.to_frame().to_string(index=False))
