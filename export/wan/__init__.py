"""Wan: text encoder, denoiser and VAE of diffusers' Wan pipelines, in the form of vidrt's modules."""
