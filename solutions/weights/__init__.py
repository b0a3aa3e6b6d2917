"""Pretrained weights: their registry, safe reading, download and storage."""
