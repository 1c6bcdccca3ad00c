"""The world-action transformer as a `VelocityNetwork`, ready to be sharded."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from flash_wam_ros.distill.window import NoisyWindow, Stream, Velocities, View
from flash_wam_ros.wam.streams import StreamBatch, Velocity
from flash_wam_ros.wam.transformer import WorldActionTransformer


def with_target_time(plain: WorldActionTransformer) -> WorldActionTransformer:
    """Return a flow map that computes what ``plain`` computes, whatever the target."""
    mapped = WorldActionTransformer(replace(plain.config, target_time=True))
    mapped = mapped.to(device=plain.device, dtype=plain.dtype)
    mapped.load_state_dict(plain.state_dict(), strict=False)
    mapped.recompute_blocks = plain.recompute_blocks
    return mapped


def _video_batch(stream: Stream) -> StreamBatch:
    return StreamBatch(
        noisy=stream.noisy, clean=stream.clean, t_noisy=stream.t, t_clean=stream.t_clean
    )


def _action_batch(stream: Stream, t_target: Tensor | None) -> StreamBatch:
    return StreamBatch(
        noisy=stream.noisy.squeeze(-1),
        clean=stream.clean.squeeze(-1),
        t_noisy=stream.t,
        t_clean=stream.t_clean,
        t_target=t_target,
    )


def fresh(velocity: Velocity, places: Tensor | None = None) -> Velocities:
    """Return velocities in fp32 that share no memory, for a sharded module may return no views."""
    video, action = velocity.video, velocity.action.unsqueeze(-1)
    return Velocities(
        video.to(torch.float32, copy=True), action.to(torch.float32, copy=True), places
    )


class WamNetwork(nn.Module):
    """Runs a transformer under teacher forcing.

    Args:
        transformer: the network.
        view: frames denoised together and window seen, where a batch names no other.
    """

    def __init__(self, transformer: WorldActionTransformer, view: View) -> None:
        super().__init__()
        self.transformer = transformer
        self.view = view

    def forward(self, window: NoisyWindow) -> Velocities:
        """Return the velocities of the noisy copies, in fp32."""
        velocity = self.velocity(window)
        return fresh(velocity)

    def velocity(self, window: NoisyWindow) -> Velocity:
        """Return what the transformer makes of a window."""
        view = window.view or self.view
        velocity: Velocity = self.transformer(
            _video_batch(window.video),
            _action_batch(window.action, window.action_target_t),
            window.text_emb,
            chunk_size=view.chunk_size,
            window_size=view.window_size,
            seen=window.seen,
            imagination=view.imagination,
        )
        return velocity

    def with_target_time(self) -> 'WamNetwork':
        """Return a copy whose action stream takes a target time."""
        return WamNetwork(with_target_time(self.transformer), self.view)
