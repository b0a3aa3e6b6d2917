"""Atomic writes, locks, images, devices, progress and provenance: everything that touches the machine."""
