"""Heads: small trained models from features to scores."""
