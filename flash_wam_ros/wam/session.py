"""One episode of a world-action model: observe, imagine, act.

Legend: C latent channels, F frames a chunk, H W latent canvas, A model action channels, U used
action channels, N actions a frame, T text tokens, E text channels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.wam.accelerate import Runner, compile_blocks
from flash_wam_ros.wam.actions import ActionLayout
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.plan import Imagined, Plan
from flash_wam_ros.wam.plan_fused import FusedPlan
from flash_wam_ros.wam.plan_reference import Call, ReferencePlan
from flash_wam_ros.wam.transformer import WorldActionTransformer

PLANS = ('reference', 'fused')
DTYPES = (torch.float32, torch.bfloat16)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChunkResult:
    """What one rollout step gives.

    Attributes:
        actions: (U, F, N) fp32 actions in environment order and units, on the CPU. In the first
            chunk frame 0 is the present and is not executed.
        latents: (1, C, F, H, W) imagined latents, in the type and place of the network.
        first_frame: absolute latent frame of frame 0.
        executed_from: first frame whose actions are to be executed: 1 in the first chunk, else 0.
        passes: network passes that it took, commits included.
    """

    actions: Tensor
    latents: Tensor
    first_frame: int
    executed_from: int
    passes: int


class WamSession:
    """Rolls out a world-action model chunk by chunk (LingBot-VA's server loop).

    The order of calls is ``reset``, ``observe`` with the latent of the first picture, then
    ``imagine_and_act`` and ``observe`` in turn. ``imagine_and_act`` may be repeated, which draws
    another future of the same past; ``observe`` may follow ``observe``. After an exception inside
    a call the session must be reset, which brings it back whole.

    Args:
        model: the network, on its device.
        config: its configuration.
        plan: ``fused`` (V + A passes a chunk) or ``reference`` (as published); equal results.
        dtype: float32 or bfloat16; the model is converted in place. None keeps its type.
        seed: of the noise; each reset starts it anew.
        compiled: whether to compile the blocks with torch.compile.
        cuda_graphs: whether to capture passes as CUDA graphs (fused plan).
        on_call: is given every network pass (reference plan).

    Raises:
        UserError: an unknown plan or type, a model that does not fit the configuration.
    """

    def __init__(
        self,
        model: WorldActionTransformer,
        config: WamConfig,
        *,
        plan: str = 'fused',
        dtype: torch.dtype | None = None,
        seed: int = 0,
        compiled: bool = False,
        cuda_graphs: bool = False,
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        if plan not in PLANS:
            raise UserError(f'unknown plan {plan!r}; {did_you_mean(plan, PLANS)}')
        if dtype is not None:
            model.to(dtype)
        _check_model(model, config)
        model.eval()
        self._model, self.config, self._seed = model, config, seed
        self._layout = ActionLayout(config.actions)
        self._generator = torch.Generator(model.device)
        if compiled:
            compile_blocks(model, lambda: _probe(model, config))
        self.plan: Plan = (
            ReferencePlan(model, config, on_call)
            if plan == 'reference'
            else FusedPlan(model, config, Runner(cuda_graphs, model.device))
        )
        self._frame = -1
        self._first: Tensor | None = None
        self._ready = False

    @property
    def frame(self) -> int:
        """Return the absolute latent frame at which the next chunk begins; -1 before a reset."""
        return self._frame

    @property
    def passes(self) -> int:
        """Return the network passes since the last reset."""
        return self.plan.passes

    @property
    def cache_bytes(self) -> int:
        """Return the memory of the key-value cache [bytes]."""
        return self.plan.cache_bytes

    @torch.no_grad()
    def reset(
        self, text_cond: Tensor, text_uncond: Tensor | None = None, *, seed: int | None = None
    ) -> None:
        """Begin an episode.

        Args:
            text_cond: (1, T, E) or (T, E) embedding of the instruction.
            text_uncond: the same of the empty instruction; needed where guidance is above 1.
            seed: of this episode's noise; None takes the session's.

        Raises:
            UserError: a wrong shape, or guidance without ``text_uncond``.
        """
        self._ready = False
        streams = [self._text(text_cond, 'instruction')]
        if self.config.guidance.active:
            if text_uncond is None:
                raise UserError(
                    f'guidance video {self.config.guidance.video}, action '
                    f'{self.config.guidance.action} needs text_uncond, the embedding of the empty '
                    'instruction; pass it, or set both to 1'
                )
            streams.append(self._text(text_uncond, 'empty instruction'))
        if streams[0].shape != streams[-1].shape:
            raise UserError(
                f'text embeddings have shapes {tuple(streams[0].shape)} and '
                f'{tuple(streams[-1].shape)}; pad both to one length'
            )
        self._generator.manual_seed(self._seed if seed is None else seed)
        self.plan.reset(torch.cat(streams))
        self._frame, self._first = 0, None
        self._ready = True

    @torch.no_grad()
    def observe(
        self,
        latents: Tensor,
        executed_actions: Tensor | np.ndarray | None = None,
        *,
        normalised: bool = False,
        state: Tensor | np.ndarray | None = None,
    ) -> None:
        """Commit what was seen and what was done.

        Args:
            latents: (1, C, f, H, W) or (C, f, H, W) latents of the pictures since the last call:
                the first picture alone (f = 1) on the first call, F - 1 frames on the second
                (the first picture is put before them), F frames from then on.
            executed_actions: (U, F, N) the actions that were really sent, in environment order
                and units, over the whole chunk; None on the first call.
            normalised: whether the actions are (A, F, N) model channels instead.
            state: (S,) joint positions measured with the newest picture, for a model that reads
                them.

        Raises:
            UserError: wrong shapes or numbers that are not finite, or a session to be reset.
        """
        self._require_ready('observe')
        chunk = self.config.chunk
        first = self._first is None
        if first != (executed_actions is None):
            raise UserError(
                'the first observation has no executed actions'
                if first
                else 'executed_actions are missing; pass what was sent since the last observation'
            )
        frames = 1 if first else chunk.frames_per_chunk - (self._frame == 0)
        seen, measured = self._latents(latents, frames), self._state(state)
        if executed_actions is None:
            with self._guarded():
                self.plan.start(seen, measured)
                self._first = seen
            return
        sent = self._normalised(executed_actions, normalised)
        with self._guarded():
            if self._frame == 0 and self._first is not None:
                seen = torch.cat([self._first, seen], 2)
            self.plan.commit(seen, sent, measured)
            self._frame += chunk.frames_per_chunk

    @torch.no_grad()
    def imagine_and_act(
        self, noise_video: Tensor | None = None, noise_action: Tensor | None = None
    ) -> ChunkResult:
        """Return the next chunk of actions and the latents imagined for it.

        Args:
            noise_video: (1, C, F, H, W) noise; None draws it.
            noise_action: (1, A, F, N) noise; None draws it, after the video's, and scales it by
                the temperature.

        Raises:
            UserError: wrong shapes, nothing observed yet, actions that are not finite.
        """
        self._require_ready('imagine_and_act')
        if self._first is None:
            raise UserError('nothing was observed yet; call observe with the first latent')
        config = self.config
        frames = config.chunk.frames_per_chunk
        video = self._noise(
            noise_video, (1, config.model.in_channels, frames, *config.latent_hw), 'noise_video'
        )
        action = self._noise(
            noise_action,
            (1, config.model.action_dim, frames, config.chunk.actions_per_frame),
            'noise_action',
        )
        if noise_action is None:
            action = action * config.temperature
        before = self.plan.passes
        with self._guarded():
            imagined: Imagined = self.plan.imagine(video, action)
            actions = self._layout.denormalise(imagined.actions[0].float().cpu())
        return ChunkResult(
            actions=actions,
            latents=imagined.latents,
            first_frame=self._frame,
            executed_from=int(self._frame == 0),
            passes=self.plan.passes - before,
        )

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Mark the session as broken unless the work inside comes to its end."""
        self._ready = False
        yield
        self._ready = True

    def _require_ready(self, call: str) -> None:
        if not self._ready:
            why = 'was not reset yet' if self._frame < 0 else 'broke off in an earlier call'
            raise UserError(f'{call}: the session {why}; call reset first')

    def _text(self, text: Tensor, what: str) -> Tensor:
        text = text.unsqueeze(0) if text.ndim == 2 else text
        width = self.config.model.text_dim
        if text.ndim != 3 or text.shape[0] != 1 or text.shape[1] < 1 or text.shape[2] != width:
            raise UserError(
                f'embedding of the {what} has shape {tuple(text.shape)}, expected (1, tokens, '
                f'{width}); use the text encoder of this model'
            )
        return text.to(self._model.device, self._model.dtype)

    def _latents(self, latents: Tensor, frames: int) -> Tensor:
        latents = latents.unsqueeze(0) if latents.ndim == 4 else latents
        shape = (1, self.config.model.in_channels, frames, *self.config.latent_hw)
        _check_floats(latents, shape, 'observed latents', 'check the codec and the frames given')
        return latents.to(self._model.device, self._model.dtype)

    def _state(self, state: Tensor | np.ndarray | None) -> Tensor | None:
        if (state is None) != (self.config.state is None):
            raise UserError(
                'this model reads joint positions; pass the state measured with the newest picture'
                if state is None
                else 'this model reads no joint positions; leave the state out'
            )
        if state is None or self.config.state is None:
            return None
        return self.config.state.normalise(state).to(self._model.device, self._model.dtype)[None]

    def _normalised(self, actions: Tensor | np.ndarray, normalised: bool) -> Tensor:
        given = torch.as_tensor(actions)
        chunk, channels = self.config.chunk, self.config.actions
        count = channels.channels if normalised else channels.num_used
        shape = (count, chunk.frames_per_chunk, chunk.actions_per_frame)
        _check_floats(
            given, shape, 'executed actions', 'commit the whole chunk as it was really sent'
        )
        scaled = given if normalised else self._layout.normalise(given.cpu())
        return scaled.unsqueeze(0).to(self._model.device, self._model.dtype)

    def _noise(self, noise: Tensor | None, shape: tuple[int, ...], what: str) -> Tensor:
        device, dtype = self._model.device, self._model.dtype
        if noise is None:
            return torch.randn(shape, generator=self._generator, device=device, dtype=dtype)
        _check_floats(noise, shape, what, 'pass noise of one chunk, or None')
        return noise.to(device, dtype)


def _check_floats(values: Tensor, shape: tuple[int, ...], what: str, remedy: str) -> None:
    """Raise UserError unless ``values`` are finite floating-point numbers of ``shape``."""
    if not values.is_floating_point():
        raise UserError(f'{what} are {values.dtype}, expected floating point; {remedy}')
    if tuple(values.shape) != shape:
        raise UserError(f'{what} have shape {tuple(values.shape)}, expected {shape}; {remedy}')
    # On an accelerator the check would wait for it; what comes from outside is on the CPU.
    if values.device.type == 'cpu' and not bool(torch.isfinite(values).all()):
        raise UserError(f'{what} are not all finite; refused; {remedy}')


def _check_model(model: WorldActionTransformer, config: WamConfig) -> None:
    if model.dtype not in DTYPES:
        raise UserError(f'the model is {model.dtype}, expected float32 or bfloat16; pass dtype')
    for name in (
        *('num_layers', 'width', 'in_channels', 'action_dim', 'text_dim', 'patch_size'),
        'context',
    ):
        found, expected = getattr(model.config, name), getattr(config.model, name)
        if found != expected:
            raise UserError(
                f'the model has {name} {found}, its configuration {expected}; load both from '
                'one checkpoint'
            )


@torch.no_grad()
def _probe(model: WorldActionTransformer, config: WamConfig) -> None:
    """Run one chunk of zeros, with the sizes that the session will use."""
    session = WamSession(model, config)
    text = torch.zeros(1, 1, config.model.text_dim)
    session.reset(text, text)
    state = None if config.state is None else np.array(config.state.mean)
    session.observe(torch.zeros(1, config.model.in_channels, 1, *config.latent_hw), state=state)
    session.imagine_and_act()
