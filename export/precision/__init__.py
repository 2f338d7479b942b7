"""Graphs in low precision: which nodes stay in fp32, the casts between, and the parity that such a graph reaches."""
