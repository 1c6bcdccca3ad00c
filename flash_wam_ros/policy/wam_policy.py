"""The world-action model as a policy: camera frames in, imagined video and actions out."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flash_wam_ros.bringup.paths import share_dir
from flash_wam_ros.core import (
    ActionChunk,
    JointLayout,
    Observation,
    UserError,
    did_you_mean,
    from_mapping,
    ns_from_s,
)
from flash_wam_ros.policy.choices import RANDOM, SETTINGS_NAME, SHIPPED
from flash_wam_ros.policy.history import History
from flash_wam_ros.policy.protocol import PolicyOutput, Prediction, SentCommands
from flash_wam_ros.policy.sampling import Sampling
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.pipeline import Pipeline, load_pipeline
from flash_wam_ros.wam.rollout import WamRollout
from flash_wam_ros.wam.session import ChunkResult

ACTION_SPACES = ('absolute', 'relative')
UNTRAINED_BLIND = (
    'out of distribution: these weights were not trained to act without their imagination'
)
"""What results of such a model are labelled with."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class WamPolicySettings:
    """What a robot must know of a model beyond the model itself.

    Attributes:
        action_rate_hz: actions a second.
        action_space: ``absolute``: actions are joint positions; ``relative``: offsets from the
            pose measured at the observation that the chunk is anchored at.
        overlap_s: how long before a chunk's end the next is begun [s], so that the arms need not
            wait for it: at least what a step takes, on the robot, from picture to chunk.
    """

    action_rate_hz: float
    action_space: str = 'absolute'
    overlap_s: float = 0.0

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 < self.action_rate_hz <= 1000:
            raise UserError(f'action_rate_hz {self.action_rate_hz} outside (0, 1000]')
        if self.action_space not in ACTION_SPACES:
            hint = did_you_mean(self.action_space, ACTION_SPACES)
            raise UserError(f'unknown action_space {self.action_space!r}; {hint}')
        if not 0 <= self.overlap_s < float('inf'):
            raise UserError(f'overlap_s {self.overlap_s} must be 0 or more')

    @classmethod
    def load(cls, folder: Path) -> 'WamPolicySettings':
        """Return the settings of a model folder.

        Raises:
            UserError: the file is missing, damaged, or has unknown keys.
        """
        path = folder / SETTINGS_NAME
        try:
            values: Mapping[str, Any] = json.loads(path.read_text(encoding='utf-8'))
            return from_mapping(cls, values, str(path))
        except (OSError, json.JSONDecodeError, TypeError) as error:
            raise UserError(
                f'{path} cannot be used ({error}); it must give action_rate_hz, so that the '
                'actions can be placed in time'
            ) from None

    def save(self, folder: Path) -> None:
        """Write the settings into a model folder."""
        text = json.dumps(asdict(self), indent=2) + '\n'
        (folder / SETTINGS_NAME).write_text(text, encoding='utf-8')


def blindness(config: WamConfig) -> tuple[str, ...]:
    """Return what results of a model must be labelled with if it acts without imagination."""
    untrained = not config.imagination and not config.acts_blind
    return (UNTRAINED_BLIND,) if untrained else ()


class WamPolicy:
    """Rolls a world-action model out on a robot, one chunk after another.

    The model counts in latent frames of fixed duration. When a chunk has been followed, to its end
    or until ``overlap_s`` before, the frames that were seen and the commands that were *sent* in a
    chunk's time up to now are committed, and the next chunk begins.

    Args:
        pipeline: the model.
        settings: how its actions are placed in time and space.
        layout: the J joints that it commands, in its environment order.
        plan: execution plan of the rollout engine.

    Attributes:
        notes: what a reader of its results must know.
        privileged: whether it reads where the objects are.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        settings: WamPolicySettings,
        layout: JointLayout = POLICY,
        plan: str = 'fused',
    ) -> None:
        config = pipeline.config
        if config.actions.num_used != len(layout):
            raise UserError(
                f'the model has {config.actions.num_used} actions, the robot {len(layout)} '
                'joints; use a model of this robot'
            )
        self.cameras = config.canvas.cameras
        self._rollout = WamRollout(pipeline, plan=plan)
        self._chunk = config.chunk
        self._reads = config.state
        self.privileged = bool(config.state and config.state.objects)
        self._imagines = config.imagination
        self.notes = blindness(config)
        self._looks_per_frame = pipeline.codec.temporal_factor
        self._settings = settings
        self._layout = layout
        self._history = History()
        self._result: ChunkResult | None = None
        self._start_ns = 0
        self._home = np.zeros(len(layout))

    @property
    def replan_s(self) -> float:
        """Return when the chunk in force is to be followed by the next, after its stamp [s]."""
        rate_hz, overlap_s = self._settings.action_rate_hz, self._settings.overlap_s
        return max(self._actions_in_force / rate_hz - overlap_s, 1 / rate_hz)

    @property
    def _actions_in_force(self) -> int:
        first = self._result.executed_from if self._result else 1
        return (self._chunk.frames_per_chunk - first) * self._chunk.actions_per_frame

    def reset(self, instruction: str, seed: int = 0) -> None:
        """Begin an episode."""
        self._rollout.reset(instruction, seed=seed)
        self._history.clear()
        self._result = None

    @torch.no_grad()
    def step(self, observations: Sequence[Observation], sent: SentCommands) -> PolicyOutput:
        """Commit the past chunk, imagine the next, and return it."""
        self._history.add(observations, sent)
        newest = self._history.newest
        if self._result is None:
            self._rollout.see([newest.images], self._state(newest))
        else:
            self._commit(self._result)
        self._start_ns = newest.stamp_ns
        self._home = newest.q[newest.layout.indices(self._layout.names)]
        self._history.forget_before(self._start_ns)
        self._result = self._rollout.imagine_and_act()
        return PolicyOutput(
            chunk=self._as_chunk(self._result),
            prediction=self._as_prediction(self._result) if self._imagines else None,
            metrics={'passes': float(self._result.passes)},
        )

    def _state(self, seen: Observation) -> np.ndarray | None:
        """Return the (S,) joints and objects that the model reads with a look, if it does."""
        if self._reads is None:
            return None
        return self._reads.reading(
            seen.q[seen.layout.indices(self._layout.names)], seen.privileged
        )

    def _offset(self) -> np.ndarray:
        """Return the (J,) pose that actions count from."""
        relative = self._settings.action_space == 'relative'
        return self._home if relative else np.zeros(len(self._layout))

    def _commit(self, result: ChunkResult) -> None:
        """Commit what was seen and sent during the chunk in force."""
        frames = self._chunk.frames_per_chunk - result.executed_from
        frame_s = self._chunk.actions_per_frame / self._settings.action_rate_hz
        count = frames * self._looks_per_frame
        look_times = self._times_ns(count, frame_s / self._looks_per_frame)
        looks = self._history.frames_at(look_times)
        self._rollout.see([seen.images for seen in looks], self._state(self._history.newest))
        action_times = self._times_ns(self._actions_in_force, 1 / self._settings.action_rate_hz)
        done = self._history.commands_at(action_times, self._home) - self._offset()
        executed = result.actions.numpy().copy()
        shape = (len(self._layout), frames, self._chunk.actions_per_frame)
        executed[:, result.executed_from :] = done.T.reshape(shape)
        self._rollout.commit(executed)

    def _times_ns(self, count: int, step_s: float) -> np.ndarray:
        """Return (count,) ROS times, one step apart, the last that of the newest look."""
        return self._history.newest.stamp_ns - np.arange(count)[::-1] * ns_from_s(step_s)

    def _as_chunk(self, result: ChunkResult) -> ActionChunk:
        actions = result.actions[:, result.executed_from :].flatten(1).T.double().numpy()
        times_s = np.arange(1, len(actions) + 1) / self._settings.action_rate_hz
        return ActionChunk(
            stamp_ns=self._start_ns,
            layout=self._layout,
            times_s=times_s,
            q=actions + self._offset(),
        )

    def _as_prediction(self, result: ChunkResult) -> Prediction:
        frames = self._chunk.frames_per_chunk - result.executed_from
        frame_s = self._chunk.actions_per_frame / self._settings.action_rate_hz
        count = frames * self._looks_per_frame
        times_s = np.arange(1, count + 1) * frame_s / self._looks_per_frame
        # What is decoded later must not follow the session to its next chunk.
        newest = self._rollout.newest_latent
        return Prediction(times_s=times_s, decode=lambda: self._rollout.pictures(result, newest))


def make_wam_policy(model: str, sampling: str = '') -> WamPolicy:
    """Return the policy of a model folder.

    Args:
        model: the folder; '' for the one that ships, and for random weights where none does;
            ``random`` for random weights.
        sampling: as :class:`~flash_wam_ros.policy.sampling.Sampling` reads it; '' for its own.

    Raises:
        UserError: the folder cannot be used.
    """
    shipped = share_dir() / SHIPPED
    if model == RANDOM or not (model or shipped.is_dir()):
        from flash_wam_ros.policy.placeholder import placeholder_pipeline, placeholder_settings

        _log.warning('random weights: the motion means nothing')
        return WamPolicy(placeholder_pipeline(), placeholder_settings())
    folder = Path(model) if model else shipped
    if not folder.is_dir():
        raise UserError(f'{folder} is no folder; give the folder of a model')
    # Weights that were stored small are run in full: a CPU has no fast half.
    pipeline = load_pipeline(folder, dtype=torch.float32)
    if sampling:
        pipeline = replace(pipeline, config=Sampling.parse(sampling).applied(pipeline.config))
    return WamPolicy(pipeline, WamPolicySettings.load(folder))
