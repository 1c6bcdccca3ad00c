"""Times of a chunk in both plans, beside what the machine's arithmetic allows.

Cases are interleaved in one process, so that a change of the machine's pace meets all of them.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from flash_wam_ros.wam.cache import Keep
from flash_wam_ros.wam.config import GuidanceConfig, WamConfig
from flash_wam_ros.wam.costs import ChunkCost, chunk_cost
from flash_wam_ros.wam.plan_fused import FusedPlan
from flash_wam_ros.wam.plan_reference import ReferencePlan
from flash_wam_ros.wam.session import WamSession
from flash_wam_ros.wam.transformer import WorldActionTransformer

TEXT_TOKENS = 512
"""Positions of the published text embedding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One thing to time.

    Attributes:
        plan: ``reference`` or ``fused``.
        video_steps: denoising steps of the video.
        action_steps: of the actions.
        guidance: scale of the video's guidance, 1 is none.
        fill: part of the window that is full, 0 to 1.
        repeats: times to run it.
    """

    plan: str
    video_steps: int
    action_steps: int
    guidance: float
    fill: float
    repeats: int

    @property
    def name(self) -> str:
        """Return a name that tells this case from all others."""
        steps = f'{self.video_steps}v/{self.action_steps}a'
        return f'{self.plan} {steps} guidance {self.guidance:g} fill {self.fill:g}'

    def configure(self, config: WamConfig) -> WamConfig:
        """Return ``config`` with the steps and guidance of this case."""
        return replace(
            config,
            video=replace(config.video, steps=self.video_steps, exec_steps=-1),
            action=replace(config.action, steps=self.action_steps),
            guidance=GuidanceConfig(video=self.guidance),
        )

    def history(self, config: WamConfig) -> int:
        """Return the chunks in the cache before the timed one."""
        return round(self.fill * config.chunk.pairs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What the machine reaches.

    Attributes:
        macs_per_s: multiply-adds of a matrix product of the network's own shape.
        bytes_per_s: reading of the weights.
    """

    macs_per_s: float
    bytes_per_s: float

    def floor_s(self, cost: ChunkCost) -> float:
        """Return the time [s] in which arithmetic and reading could be done at best."""
        return max(cost.macs / self.macs_per_s, cost.read_bytes / self.bytes_per_s)


def _wait(device: torch.device) -> None:
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def _best_s(work: object, device: torch.device, repeats: int = 5) -> float:
    best = math.inf
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        work()  # type: ignore[operator]
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best


def measure_machine(model: WorldActionTransformer, config: WamConfig) -> Machine:
    """Return the rates of this machine, by the feed-forward product and a sweep of the weights."""
    tokens, width, hidden = config.video_tokens, config.model.width, config.model.ffn_dim
    x = torch.randn(tokens, width, dtype=model.dtype, device=model.device)
    weight = torch.randn(hidden, width, dtype=model.dtype, device=model.device)
    product_s = _best_s(lambda: torch.nn.functional.linear(x, weight), model.device, 20)
    weights = [weight.detach() for weight in model.parameters()]
    swept_s = _best_s(lambda: [weight.sum() for weight in weights], model.device)
    return Machine(
        macs_per_s=tokens * width * hidden / product_s,
        bytes_per_s=sum(weight.nbytes for weight in weights) / swept_s,
    )


class Bench:
    """Times cases on one network.

    Args:
        model: the network, in the type and place to be measured.
        config: sizes of a chunk.
        cuda_graphs: as for the session.
    """

    def __init__(
        self, model: WorldActionTransformer, config: WamConfig, cuda_graphs: bool = False
    ) -> None:
        self.model, self.config, self._cuda_graphs = model, config, cuda_graphs
        generator = torch.Generator().manual_seed(0)

        def draw(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator)

        frames, channels = config.chunk.frames_per_chunk, config.model.in_channels
        self._text = draw(1, TEXT_TOKENS, config.model.text_dim)
        self._latents = draw(1, channels, frames, *config.latent_hw)
        # Unit actions in the model's own terms, whatever the robot's statistics.
        self._actions = draw(config.model.action_dim, frames, config.chunk.actions_per_frame)
        self._state = None if config.state is None else np.array(config.state.mean)

    def cost(self, case: Case) -> ChunkCost:
        """Return the arithmetic of a case."""
        size = self.model.patch_embedding_mlp.weight.element_size()
        weights = sum(weight.nbytes for weight in self.model.parameters())
        return chunk_cost(
            case.configure(self.config),
            case.plan,
            case.history(self.config),
            TEXT_TOKENS,
            weights,
            size,
        )

    def cache_bytes(self, case: Case) -> int:
        """Return the memory that a case's cache takes [bytes]."""
        model, streams = self.config.model, 2 if case.guidance > 1 else 1
        slots = self.config.chunk.pairs * (self.config.video_tokens + self.config.action_tokens)
        size = self.model.patch_embedding_mlp.weight.element_size()
        return 2 * streams * slots * model.num_layers * model.width * size

    def time(self, case: Case) -> tuple[float, int]:
        """Return the seconds and the network passes of one run of a case."""
        session = WamSession(
            self.model,
            case.configure(self.config),
            plan=case.plan,
            cuda_graphs=self._cuda_graphs and case.plan == 'fused',
        )
        session.reset(self._text, self._text)
        session.observe(self._latents[:, :, :1], state=self._state)
        _fill(session, case.history(self.config))
        frames = self._latents if session.frame else self._latents[:, :, 1:]
        before = session.passes
        _wait(self.model.device)
        start = time.perf_counter()
        session.observe(frames, self._actions, normalised=True, state=self._state)
        session.imagine_and_act()
        _wait(self.model.device)
        return time.perf_counter() - start, session.passes - before


def _fill(session: WamSession, pairs: int) -> None:
    """Let the cache hold ``pairs`` chunks of zeros: attention takes as long over any numbers."""
    plan, config = session.plan, session.config
    for _ in range(pairs):
        if isinstance(plan, FusedPlan):
            plan.cache.commit_video()
            plan.cache.commit_action()
        elif isinstance(plan, ReferencePlan):
            for tokens in (config.video_tokens, config.action_tokens):
                plan.cache.ledger.settle(plan.cache.ledger.take(tokens), Keep.COMMITTED)
    if pairs == config.chunk.pairs:
        # The running loop denoises before it commits, which has made room at capacity.
        if isinstance(plan, FusedPlan):
            plan.cache.imagine_video()
            plan.cache.imagine_action()
            plan.cache.compact()
        elif isinstance(plan, ReferencePlan):
            for tokens in (config.video_tokens, config.action_tokens):
                plan.cache.ledger.settle(plan.cache.ledger.take(tokens), Keep.PREDICTED)


def turns(cases: Sequence[Case]) -> Iterator[Case]:
    """Yield each case as often as it is to be run, cases taking turns."""
    for turn in range(max((case.repeats for case in cases), default=0)):
        yield from (case for case in cases if turn < case.repeats)


def summary_s(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Return min, median and 99th percentile [s]."""
    low, middle, high = np.percentile(np.array(seconds), [0, 50, 99])
    return float(low), float(middle), float(high)
