"""Poses and features of poses."""
