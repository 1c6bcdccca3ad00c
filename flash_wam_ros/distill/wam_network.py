"""The world-action transformer as a `VelocityNetwork`, ready to be sharded."""

from torch import nn

from flash_wam_ros.distill.window import NoisyWindow, Stream, Velocities
from flash_wam_ros.wam.transformer import StreamBatch, WorldActionTransformer


def _video_batch(stream: Stream) -> StreamBatch:
    return StreamBatch(
        noisy=stream.noisy, clean=stream.clean, t_noisy=stream.t, t_clean=stream.t_clean
    )


def _action_batch(stream: Stream) -> StreamBatch:
    noisy, clean = stream.noisy.squeeze(-1), stream.clean.squeeze(-1)
    return StreamBatch(noisy=noisy, clean=clean, t_noisy=stream.t, t_clean=stream.t_clean)


class WamNetwork(nn.Module):
    """Runs a transformer under teacher forcing.

    Args:
        transformer: the network.
        chunk_size: latent frames denoised together.
        window_size: farthest half-chunk (video and action alternate) that is seen.
    """

    def __init__(
        self, transformer: WorldActionTransformer, *, chunk_size: int, window_size: int
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.chunk_size = chunk_size
        self.window_size = window_size

    def forward(self, window: NoisyWindow) -> Velocities:
        """Return the velocities of the noisy copies, in fp32."""
        velocity = self.transformer(
            _video_batch(window.video),
            _action_batch(window.action),
            window.text_emb,
            chunk_size=self.chunk_size,
            window_size=self.window_size,
        )
        return Velocities(velocity.video.float(), velocity.action.float().unsqueeze(-1))
