"""The VAE's decoder: that of AutoencoderKL, which decodes every frame by itself."""

from __future__ import annotations

from diffusers import AutoencoderKL
from torch import Tensor, nn

from vidrt.export.upsampling import doubled


class FramewiseDecoder(nn.Module):
    """Module vae_decoder: latents (B,C,T,h,w) of the denoiser's space -> frames (B,3,T,H,W) in [-1,1].

    Args:
        vae: The autoencoder, of which only the decoder's part is kept.
    """

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.decoder = vae.decoder
        self.post_quant_conv = nn.Identity() if vae.post_quant_conv is None else vae.post_quant_conv
        self.scale = 1.0 / vae.config.scaling_factor

    def forward(self, latents: Tensor) -> Tensor:
        """Decode any number of latent frames."""
        decoder = self.decoder
        x = self.post_quant_conv(latents.transpose(1, 2).flatten(0, 1) * self.scale)
        x = decoder.mid_block(decoder.conv_in(x))
        for block in decoder.up_blocks:
            for resnet in block.resnets:
                x = resnet(x, None)
            # Upsample2D's own forward asks how many frames there are, which would fix their number in a graph.
            for upsampler in block.upsamplers or ():
                x = upsampler.conv(doubled(x))
        x = decoder.conv_out(decoder.conv_act(decoder.conv_norm_out(x)))
        return x.unflatten(0, (latents.shape[0], latents.shape[2])).transpose(1, 2).clamp(-1.0, 1.0)
