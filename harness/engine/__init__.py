"""Who does the work: worker processes of this machine, or of a cluster. One protocol, two engines."""
