"""The interface that every solution implements, the registry that finds solutions, and the contract check."""
