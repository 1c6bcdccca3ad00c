"""Episodes of a setting in lock step."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.evaluate.conditions import SWAPPED, ConditionedPolicy
from flash_wam_ros.evaluate.limits import EvaluatedLimits
from flash_wam_ros.evaluate.results import TRAINED, Episode, Setting
from flash_wam_ros.policy.protocol import Policy
from flash_wam_ros.policy.registry import POLICIES, make_policy
from flash_wam_ros.robots.g1_layout import ARM_KD, ARM_KP, ARM_SDK, POLICY, STATE
from flash_wam_ros.safety import Controller, ControllerConfig, Plant
from flash_wam_ros.safety.clearance import ClearanceModel
from flash_wam_ros.safety.keepout import parse
from flash_wam_ros.safety.points import ArmPoints
from flash_wam_ros.sim.description import build_urdf
from flash_wam_ros.sim.tasks import TASKS, WORDINGS

HELD_OUT = 'held_out'
"""Stands for the wordings that no demonstration has."""

EpisodeRunner = Callable[[int], Episode]
"""Runs the episode of a seed."""


@lru_cache(maxsize=4)
def _clearance(keep_out: str) -> ClearanceModel:
    return ClearanceModel(build_urdf(), STATE, parse(keep_out))


@lru_cache(maxsize=1)
def _points() -> ArmPoints:
    return ArmPoints(build_urdf(), POLICY)


def g1_controller(
    config: ControllerConfig | None = None, check_clearance: bool = True
) -> Controller:
    """Return a disarmed safety controller of the G1.

    Args:
        config: limits, ramps and deadlines; None for the defaults.
        check_clearance: whether it watches the arms' distance from each other and the body.
    """
    plant = Plant(state=STATE, command=ARM_SDK, policy=POLICY, kp=ARM_KP, kd=ARM_KD)
    config = config or ControllerConfig()
    clearance = _clearance(config.keep_out) if check_clearance else None
    return Controller(config, plant, clearance, _points())


def check_names(setting: Setting) -> None:
    """Raise UserError if the task or the policy of ``setting`` is unknown."""
    for what, name, valid in (
        ('task', setting.task, TASKS),
        ('policy', setting.policy, POLICIES),
    ):
        if name not in valid:
            raise UserError(f'unknown {what} {name!r}; {did_you_mean(name, valid)}')


@dataclass(frozen=True, kw_only=True, slots=True)
class Runner:
    """What runs episodes.

    Attributes:
        run: runs the episode of a seed.
        notes: what a reader of the results must know of the policy.
    """

    run: EpisodeRunner
    notes: tuple[str, ...] = ()


@contextmanager
def episode_runner(
    setting: Setting, pictures: Path | None = None, wrap: Callable[[Policy], Policy] | None = None
) -> Iterator[Runner]:
    """Yield what runs the episodes of ``setting`` in lock step; free everything afterwards.

    Args:
        setting: what is evaluated.
        pictures: folder for a strip of pictures of each episode, None for none.
        wrap: what is put around the policy, None for nothing.

    Raises:
        UserError: the task, the policy, its model or a limit is unknown.
    """
    check_names(setting)
    limits = EvaluatedLimits.parse(setting.limits)
    from flash_wam_ros.evaluate.lockstep import Lockstep
    from flash_wam_ros.evaluate.strip import Strips
    from flash_wam_ros.sim.cameras import CameraRenderer
    from flash_wam_ros.sim.world import World, WorldConfig

    policy: Policy = make_policy(
        setting.policy, task=setting.task, model=setting.model, sampling=setting.sampling
    )
    if setting.look or setting.words != TRAINED:
        policy = ConditionedPolicy(policy, setting.look, said(setting.task, setting.words))
    if wrap is not None:
        policy = wrap(policy)
    notes: tuple[str, ...] = getattr(policy, 'notes', ())
    world = World(WorldConfig(task=setting.task))
    control = partial(g1_controller, limits.config, limits.check_clearance)
    with ExitStack() as stack:
        cameras = stack.enter_context(CameraRenderer(world)) if policy.cameras else None
        if pictures is None:
            run = Lockstep(world, policy, control, cameras).episode
            yield Runner(run=_warmed(run, setting), notes=notes)
            return
        strips = stack.enter_context(closing(Strips(world, pictures)))
        lockstep = Lockstep(world, policy, control, cameras, witness=strips)

        def pictured(seed: int) -> Episode:
            episode = lockstep.episode(seed)
            strips.write(seed)
            return episode

        yield Runner(run=_warmed(pictured, setting), notes=notes)


def said(task: str, words: str) -> Callable[[int], str] | None:
    """Return the instruction of each seed; None for the wordings that the world draws.

    Args:
        task: name of the task.
        words: ``trained``, ``held_out``, or an instruction.
    """
    if words == TRAINED:
        return None
    choices = WORDINGS[task].held_out if words == HELD_OUT else (words,)
    return lambda seed: choices[seed % len(choices)]


def _warmed(run: EpisodeRunner, setting: Setting) -> EpisodeRunner:
    """Let pictures of another episode exist before the first one that counts."""
    if setting.look != SWAPPED:
        return run
    begun = False

    def warmed(seed: int) -> Episode:
        nonlocal begun
        if not begun:
            begun = True
            run(max(seed - 1, 0))
        return run(seed)

    return warmed
