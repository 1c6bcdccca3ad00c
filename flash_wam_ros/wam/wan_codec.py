"""The Wan 2.2 video codec: diffusers' AutoencoderKLWan, streamed through its causal cache.

The latent is the mean of the posterior, never a sample, normalised with ``latents_mean`` and
``latents_std`` of the codec's own config.json in float32 (LingBot-VA). The convolutions' cache is
kept from step to step, so a streamed episode gives the latents of one long encoding.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import patchify
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.weights import assign_weights, read_config, read_weights, write_folder

CLASS_NAME = 'AutoencoderKLWan'
WEIGHTS_STEM = 'diffusion_pytorch_model'
_DECODER_PARTS = ('decoder', 'post_quant_conv')


class WanCodec:
    """AutoencoderKLWan behind the :class:`~flash_wam_ros.wam.codec.VideoCodec` protocol.

    Args:
        vae: an AutoencoderKLWan with its weights; used in evaluation mode.
        dtype: type of the latents that it returns.
    """

    def __init__(self, vae: Any, dtype: torch.dtype = torch.float32) -> None:
        self.vae = vae.eval().requires_grad_(False)
        self.dtype = dtype
        settings = vae.config
        self.latent_channels: int = settings.z_dim
        self.spatial_factor: int = settings.scale_factor_spatial
        self.temporal_factor: int = settings.scale_factor_temporal
        parameter = next(vae.encoder.parameters())
        self._weight_dtype, self._device = parameter.dtype, parameter.device
        shape = (1, self.latent_channels, 1, 1, 1)
        self._mean = torch.tensor(settings.latents_mean, device=self._device).view(shape)
        self._std = torch.tensor(settings.latents_std, device=self._device).view(shape)
        self._num_caches = vae._cached_conv_counts['encoder']

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        weight_dtype: torch.dtype | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = 'cpu',
    ) -> 'WanCodec':
        """Return the codec of a ``vae`` folder: config.json and safetensors.

        Raises:
            UserError: a missing file or shard, a wrong class, key or shape, weights not finite.
        """
        weights = read_weights(folder, WEIGHTS_STEM)
        return cls.from_weights(
            read_config(folder, CLASS_NAME),
            weights,
            weight_dtype=weight_dtype,
            dtype=dtype,
            device=device,
        )

    @classmethod
    def from_weights(
        cls,
        config: Mapping[str, Any],
        weights: Mapping[str, Tensor],
        *,
        weight_dtype: torch.dtype | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = 'cpu',
    ) -> 'WanCodec':
        """Return the codec of a configuration and weights; without a decoder if they have none."""
        with torch.device('meta'):
            vae: Any = AutoencoderKLWan.from_config(dict(config))  # type: ignore[no-untyped-call]
        if not any(name.startswith(_DECODER_PARTS) for name in weights):
            vae.decoder = vae.post_quant_conv = None
        assign_weights(vae, weights, device=device, dtype=weight_dtype, what='video codec')
        return cls(vae, dtype)

    def save(self, folder: Path, *, overwrite: bool = False) -> None:
        """Write a ``vae`` folder: config.json and safetensors."""
        config = {'_class_name': CLASS_NAME, **self.vae.config}
        write_folder(folder, WEIGHTS_STEM, self.vae.state_dict(), config, overwrite=overwrite)

    @torch.no_grad()
    def encode_params(
        self, video_BCTHW: Tensor, memory: list[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return posterior mean and log-variance (B, 2C, F, h, w) before normalisation."""
        frames = video_BCTHW.shape[2]
        if frames < 1 or (frames != 1 if memory is None else frames % self.temporal_factor):
            raise UserError(
                f'{frames} frames given; expected 1 at the start of an episode, a multiple of '
                f'{self.temporal_factor} after it'
            )
        video = video_BCTHW.to(self._device, self._weight_dtype)
        if self.vae.config.patch_size is not None:
            video = patchify(video, self.vae.config.patch_size)  # type: ignore[no-untyped-call]
        caches: list[Any] = [None] * self._num_caches if memory is None else list(memory)
        hidden = self.vae.encoder(video, feat_cache=caches, feat_idx=[0])
        return self.vae.quant_conv(hidden), caches

    @torch.no_grad()
    def encode_step(
        self, video_BCTHW: Tensor, cameras: Sequence[str], memory: list[Tensor] | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Encode the next frames; see :class:`~flash_wam_ros.wam.codec.VideoCodec`."""
        params, memory = self.encode_params(video_BCTHW, memory)
        mean = params[:, : self.latent_channels].float()
        return ((mean - self._mean) / self._std).to(self.dtype), memory

    @torch.no_grad()
    def decode(self, latents_BCFHW: Tensor, cameras: Sequence[str]) -> Tensor:
        """Return the video (B, 3, T, H, W) in [-1, 1] of normalised latents.

        Raises:
            UserError: the codec was loaded without its decoder.
        """
        if self.vae.decoder is None:
            raise UserError(
                'this video codec holds no decoder weights; load a vae folder that has them'
            )
        mean = latents_BCFHW.to(self._device).float() * self._std + self._mean
        video: Tensor = self.vae.decode(mean.to(self._weight_dtype)).sample
        return video.float()
