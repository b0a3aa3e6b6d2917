"""Runs: one, many, cross-validated, blended, reproduced, or made by somebody else."""
