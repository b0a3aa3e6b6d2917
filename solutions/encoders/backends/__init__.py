"""Backends that run a network, torch or OpenVINO; each implements :class:`~solutions.encoders.forward.Forward`."""
