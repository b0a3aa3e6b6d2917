"""Pretrained weights: which there are, reading them safely, where they lie."""
