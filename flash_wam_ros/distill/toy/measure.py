"""How far a few-step sampler is from the exact one on the toy world.

Two measures. Errors: the root mean square distance, from the same noise and the same history,
between a sampler's end and the end of the exact probability-flow path (a student that learnt the
path perfectly scores 0). Distances: the sliced Wasserstein-2 distance between what a sampler
makes in a rollout on its own past, video then actions on it, and the world itself (a student
that makes the right distribution by another path scores the floor).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from flash_wam_ros.distill.consistency import ConsistencyFunction
from flash_wam_ros.distill.noising import LevelConfig, noised
from flash_wam_ros.distill.step import euler
from flash_wam_ros.distill.toy.world import FRAMES, ExactNetwork, K, draw_windows
from flash_wam_ros.distill.train.seeding import generator
from flash_wam_ros.distill.window import NoisyWindow, Stream, Velocities, VelocityNetwork
from flash_wam_ros.wam.schedule import TRAIN_STEPS, InferenceSchedule

EXACT_STEPS = 256
_PROJECTIONS = 128
_SEED = 20_000

Sampler = Callable[[NoisyWindow], Tensor]
"""A window of pure noise to samples of one stream."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Measures of one sampler; smaller is better.

    Attributes:
        video_error: rms distance of the video from the exact path's end.
        action_error: the same of the actions, given the true video.
        distance: sliced Wasserstein-2 of whole rollouts from the world.
    """

    video_error: float
    action_error: float
    distance: float

    def as_dict(self) -> dict[str, float]:
        """Return the measures by name."""
        return asdict(self)


def _ask(network: VelocityNetwork, window: NoisyWindow, t_goal: Tensor) -> Velocities:
    """Return a network's velocities; a flow map is told where to jump to."""
    if getattr(network, 'target_in', None) is not None:
        window = replace(window, action_target_t=t_goal)
    return network(window)


def euler_sampler(network: VelocityNetwork, steps: int, *, action: bool) -> Sampler:
    """Return plain Euler in ``steps`` steps of one stream; a flow map is asked for its jumps."""
    levels = LevelConfig()
    shift = levels.action_shift if action else levels.video_shift
    ends = [*InferenceSchedule.make(steps, shift).timesteps.tolist()[1:], 0.0]

    def sample(window: NoisyWindow) -> Tensor:
        for t_end in ends:
            goal = torch.full_like(window.action.t, t_end)
            velocity = _ask(network, window, goal)
            if action:
                window = replace(window, action=euler(window.action, velocity.action, goal))
            else:
                window = replace(window, video=euler(window.video, velocity.video, goal))
        return (window.action if action else window.video).noisy

    return sample


def function_sampler(
    network: VelocityNetwork, f: ConsistencyFunction | None, *, action: bool
) -> Sampler:
    """Return one step under the function that a stream was trained with (None: Euler)."""
    if f is None:
        return euler_sampler(network, 1, action=action)

    def sample(window: NoisyWindow) -> Tensor:
        velocity = _ask(network, window, torch.zeros_like(window.action.t))
        stream = window.action if action else window.video
        return f(stream.noisy, stream.sigma, velocity.action if action else velocity.video)

    return sample


class Examination:
    """The fixed noise, histories and exact answers that every sampler is scored on.

    Args:
        windows: how many windows.
    """

    @torch.no_grad()
    def __init__(self, windows: int) -> None:
        rng = generator(_SEED)
        batch = draw_windows(windows, rng)
        full = torch.full((windows, FRAMES), float(TRAIN_STEPS))
        self.window = noised(batch, full, full, rng).window
        exact = ExactNetwork()
        self.video = euler_sampler(exact, EXACT_STEPS, action=False)(self.window)
        self.action = euler_sampler(exact, EXACT_STEPS, action=True)(self.window)
        world = draw_windows(windows, rng)
        self._world = _features(world.latent, world.actions)
        directions = torch.randn(self._world.shape[1], _PROJECTIONS, generator=rng)
        self._directions = directions / directions.norm(dim=0)

    @torch.no_grad()
    def score(self, video: Sampler, action: Sampler) -> Scores:
        """Return the measures of a pair of samplers."""
        return Scores(
            video_error=_rms(video(self.window) - self.video),
            action_error=_rms(action(self.window) - self.action),
            distance=self.distance(*self.rollout(video, action)),
        )

    @torch.no_grad()
    def rollout(self, video: Sampler, action: Sampler) -> tuple[Tensor, Tensor]:
        """Return latents and actions that a pair of samplers makes, each chunk on its own past."""
        window = self.window
        for first in range(0, FRAMES, K):
            frames = slice(first, first + K)
            seen = _with_frames(window.video, video(window), frames)
            window = replace(window, video=seen)
            done = _with_frames(window.action, action(window), frames)
            window = replace(window, action=done)
        return window.video.clean, window.action.clean

    def distance(self, latent: Tensor, actions: Tensor) -> float:
        """Return the sliced Wasserstein-2 distance of made windows from the world."""
        made, world = (
            (part @ self._directions).sort(0).values
            for part in (_features(latent, actions), self._world)
        )
        return _rms(made - world)

    def floor(self) -> float:
        """Return the distance of the world from itself, by sampling alone."""
        fresh = draw_windows(len(self._world), generator(_SEED, 1))
        return self.distance(fresh.latent, fresh.actions)


def _with_frames(stream: Stream, made: Tensor, frames: slice) -> Stream:
    clean = stream.clean.clone()
    clean[:, :, frames] = made[:, :, frames]
    return replace(stream, clean=clean)


def _rms(difference: Tensor) -> float:
    return float(difference.square().mean().sqrt())


def _features(latent: Tensor, actions: Tensor) -> Tensor:
    """Return one row a window: all its frames and actions."""
    return torch.cat([latent.flatten(1), actions.flatten(1)], 1)
