"""Benchmarks: scenarios as data, each case measured in a process of its own, results that can be compared."""
