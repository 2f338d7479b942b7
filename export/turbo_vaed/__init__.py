"""Turbo-VAED (Zou et al., AAAI 2026, arXiv 2508.09136): a video VAE's decoder made small. Our own code, its names."""
