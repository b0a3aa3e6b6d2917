"""Tables that come with the package, each with its source: published results, official frame counts."""
