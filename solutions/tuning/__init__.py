"""What is chosen on labels, chosen honestly: constants of the post-processing, cross-fitted over videos."""
