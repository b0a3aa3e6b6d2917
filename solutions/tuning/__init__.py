"""Choice of the post-processing's constants on labels, cross-fitted over videos."""
