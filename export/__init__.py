"""PyTorch models to bundles: the only part of vidrt that needs torch."""
