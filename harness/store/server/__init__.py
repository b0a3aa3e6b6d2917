"""The shared store of a team: server, supervisor and clients."""
