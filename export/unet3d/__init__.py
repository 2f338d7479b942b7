"""UNet3D: text encoder, denoiser and VAE of diffusers' TextToVideoSDPipeline, in the form of vidrt's modules."""
