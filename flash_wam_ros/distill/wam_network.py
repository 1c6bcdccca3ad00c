"""The world-action transformer as a `VelocityNetwork`, ready to be sharded."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from flash_wam_ros.distill.window import NoisyWindow, Stream, Velocities, View
from flash_wam_ros.wam.acting_again import ActingAgain
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


class Kept:
    """What a window told its noisy actions, for further steps of theirs.

    Nobody but themselves sees noisy actions, so that all else stays as it was, as the cache of a
    rollout does.
    """

    passes: ActingAgain | None = None


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

    def forward(self, window: NoisyWindow, kept: Kept | None = None) -> Velocities:
        """Return the velocities of the noisy copies, in fp32.

        Args:
            window: what they are of.
            kept: is filled by its first window. In those that follow only the noisy actions and
                their timesteps may differ, and only they are computed.
        """
        return fresh(self.velocity(window, kept))

    def velocity(self, window: NoisyWindow, kept: Kept | None = None) -> Velocity:
        """Return what the transformer makes of a window."""
        if kept is None:
            plain: Velocity = self.transformer(*self._parts(window), **self._options(window))
            return plain
        if kept.passes is None:
            kept.passes = ActingAgain(
                self.transformer, *self._parts(window), **self._options(window)
            )
            return kept.passes.velocity
        action = kept.passes(window.action.noisy.squeeze(-1), window.action.t)
        return kept.passes.velocity._replace(action=action)

    def _parts(self, window: NoisyWindow) -> tuple[StreamBatch, StreamBatch, Tensor]:
        action = _action_batch(window.action, window.action_target_t)
        return _video_batch(window.video), action, window.text_emb

    def _options(self, window: NoisyWindow) -> dict[str, Any]:
        view = window.view or self.view
        return {
            'chunk_size': view.chunk_size,
            'window_size': view.window_size,
            'seen': window.seen,
            'imagination': view.imagination,
        }

    def with_target_time(self) -> 'WamNetwork':
        """Return a copy whose action stream takes a target time."""
        return WamNetwork(with_target_time(self.transformer), self.view)
