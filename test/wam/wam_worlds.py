"""Small networks, configurations and episodes for the tests of the rollout engine."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flash_wam_ros.wam.actions import ActionConfig
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.config import (
    ChunkConfig,
    GuidanceConfig,
    ModelConfig,
    ScheduleConfig,
    WamConfig,
)
from flash_wam_ros.wam.session import ChunkResult, WamSession
from flash_wam_ros.wam.transformer import WorldActionTransformer

USED = (0, 3, 29)
MODEL = ModelConfig(
    num_layers=2,
    num_attention_heads=2,
    attention_head_dim=18,
    ffn_dim=48,
    freq_dim=16,
    text_dim=12,
    in_channels=4,
    out_channels=4,
)


def small_config(
    *,
    video_steps: int = 1,
    action_steps: int = 1,
    window: int = 4,
    frames: int = 2,
    actions: int = 3,
    rows: int = 2,
    columns: int = 1,
    guidance: tuple[float, float] = (1.0, 1.0),
    exec_steps: int = -1,
    video_head: str = 'x0',
) -> WamConfig:
    """Return a configuration with ``rows`` x ``columns`` video tokens a frame."""
    return WamConfig(
        model=MODEL,
        video=ScheduleConfig(steps=video_steps, shift=5.0, exec_steps=exec_steps),
        action=ScheduleConfig(steps=action_steps, shift=1.0),
        chunk=ChunkConfig(frames_per_chunk=frames, actions_per_frame=actions, attn_window=window),
        canvas=CanvasConfig(
            layout='single', cameras=('head',), height=32 * rows, width=32 * columns
        ),
        actions=ActionConfig(used=USED, q01=(-1.5,) * 30, q99=(2.0,) * 30),
        guidance=GuidanceConfig(video=guidance[0], action=guidance[1]),
        video_head=video_head,
    )


def random_model(seed: int = 0, config: ModelConfig = MODEL) -> WorldActionTransformer:
    """Return a network whose every weight is random and matters."""
    torch.manual_seed(seed)
    model = WorldActionTransformer(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            spread = 0.3 if weight.ndim > 1 else 0.1
            weight.normal_(1.0 if 'norm' in name and 'bias' not in name else 0.0, spread)
    return model


@dataclass
class Episode:
    """Random inputs of one episode, the same for every session that is fed with them."""

    config: WamConfig
    seed: int = 0

    def __post_init__(self) -> None:
        self._generator = torch.Generator().manual_seed(self.seed)
        self._observations: dict[int, tuple[Tensor, Tensor]] = {}
        width = self.config.model.text_dim
        self.text, self.empty, self.first = (
            self.draw(1, 5, width),
            self.draw(1, 5, width),
            self.latents(1),
        )

    def draw(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self._generator)

    def latents(self, frames: int) -> Tensor:
        return self.draw(1, self.config.model.in_channels, frames, *self.config.latent_hw)

    def observation(self, chunk: int) -> tuple[Tensor, Tensor]:
        """Return the latents and executed actions that follow chunk ``chunk``."""
        while chunk not in self._observations:
            index = len(self._observations)
            frames, actions = (
                self.config.chunk.frames_per_chunk,
                self.config.chunk.actions_per_frame,
            )
            self._observations[index] = (
                self.latents(frames - (index == 0)),
                self.draw(len(USED), frames, actions),
            )
        return self._observations[chunk]

    def begin(self, session: WamSession) -> None:
        session.reset(self.text, self.empty)
        session.observe(self.first)


def play(session: WamSession, episode: Episode, calls: Sequence[str]) -> list[ChunkResult]:
    """Return the chunks of a session that is driven by 'imagine' and 'observe' calls."""
    episode.begin(session)
    results, observed = [], 0
    for call in calls:
        if call == 'imagine':
            results.append(session.imagine_and_act())
        else:
            session.observe(*episode.observation(observed))
            observed += 1
    return results


def rounds(count: int) -> list[str]:
    """Return the calls of ``count`` ordinary chunks."""
    return ['imagine', 'observe'] * count
