"""Access to the machine: atomic writes, locks, images, devices, progress and provenance."""
