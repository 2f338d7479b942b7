"""The reference model: architecture, procedural data set and training."""
