"""One process that makes demonstrations: a world, cameras, a controller, the expert."""

import os
import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import connection, parent_process
from pathlib import Path
from time import process_time

from flash_wam_ros.collect import features as keys
from flash_wam_ros.collect.demonstrator import Demonstration, Demonstrator
from flash_wam_ros.collect.disturbance import DisturbanceConfig
from flash_wam_ros.collect.learner import Learner
from flash_wam_ros.collect.turns import TurnsConfig
from flash_wam_ros.data.lerobot import DatasetInfo, EpisodeRecorder
from flash_wam_ros.evaluate.lockstep import Lockstep, LockstepConfig
from flash_wam_ros.evaluate.results import Episode
from flash_wam_ros.evaluate.runner import g1_controller
from flash_wam_ros.policy.registry import make_policy
from flash_wam_ros.safety import ControllerConfig
from flash_wam_ros.sim.cameras import CameraRenderer
from flash_wam_ros.sim.experts import make_expert
from flash_wam_ros.sim.world import World, WorldConfig

# Less than half the robot's rate: the same motion, as the filter knows its step, at half the cost;
# frames fall on ticks.
_CONTROL_HZ = 100.0
# A model is to learn that a task once done stays done.
_LINGER_S = 0.8


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What every episode of a collection has in common.

    Attributes:
        task: name of the task.
        info: the dataset that the episodes are meant for.
        folder: where finished episodes are put, one folder each.
        disturbance: how the expert is disturbed, None for not at all.
        learner: folder of a model that drives in turns with the expert; '' for none.
        sampling: how that model is sampled; '' for its own steps.
        turns: how long it drives, and the expert after it.
    """

    task: str
    info: DatasetInfo
    folder: Path
    disturbance: DisturbanceConfig | None
    learner: str = ''
    sampling: str = ''
    turns: TurnsConfig = field(default_factory=TurnsConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What became of one seed.

    Attributes:
        seed: the seed.
        reason: how it was done, or why it was not.
        duration_s: simulated time [s].
        cpu_s: processor time that it took [s].
        folder: the recorded episode, None if it failed.
    """

    seed: int
    reason: str
    duration_s: float
    cpu_s: float
    folder: Path | None


class Workshop:
    """Makes demonstrations of one job, one after another.

    Args:
        job: what they have in common.

    Attributes:
        demonstrator: who shows the task, and remembers the newest episode.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._stack = ExitStack()
        world = World(WorldConfig(task=job.task))
        self.demonstrator = Demonstrator(
            world, make_expert(job.task), job.disturbance, learner=_learner(job)
        )
        renderer = CameraRenderer(world, keys.IMAGE_PX, keys.IMAGE_PX)
        cameras = self._stack.enter_context(renderer)
        controller = ControllerConfig(rate_hz=_CONTROL_HZ)
        self._lockstep = Lockstep(
            world,
            self.demonstrator,
            # The expert's ways are clear of the body, as its evaluation with clearance shows.
            lambda: g1_controller(controller, check_clearance=bool(job.learner)),
            cameras,
            LockstepConfig(control_period_s=controller.period_s, linger_s=_LINGER_S),
            witness=self.demonstrator,
        )

    def attempt(self, seed: int) -> Attempt:
        """Run the episode of ``seed`` and keep it on disk if it succeeds."""
        begin_s = process_time()
        episode = self._lockstep.episode(seed)
        folder = self._job.folder / f'seed-{seed:09d}' if episode.success else None
        if folder is not None:
            self._write(folder, episode, self.demonstrator.demonstration())
        return Attempt(
            seed=seed,
            reason=episode.reason,
            duration_s=episode.duration_s,
            cpu_s=process_time() - begin_s,
            folder=folder,
        )

    def close(self) -> None:
        """Free the renderer."""
        self._stack.close()

    def _write(self, folder: Path, episode: Episode, shown: Demonstration) -> None:
        fields = {
            'seed': episode.seed,
            'duration_s': episode.duration_s,
            'bursts': shown.bursts,
        }
        with EpisodeRecorder(
            folder, self._job.info, task=shown.instruction, fields=fields, settings=keys.VIDEO
        ) as recorder:
            for frame in range(len(shown.vectors[keys.STATE_KEY])):
                recorder.add(
                    {name: values[frame] for name, values in shown.vectors.items()},
                    {name: pictures[frame] for name, pictures in shown.images.items()},
                )


def _learner(job: Job) -> Learner | None:
    if not job.learner:
        return None
    policy = make_policy('wam', task=job.task, model=job.learner, sampling=job.sampling)
    return Learner(policy, job.turns)


_workshop: Workshop | None = None


def begin(job: Job) -> None:
    """Set this process up; it ends as soon as the process that started it does."""
    global _workshop
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _workshop = Workshop(job)


def attempt(seed: int) -> Attempt:
    """Run the episode of ``seed`` in this process's workshop."""
    if _workshop is None:
        raise RuntimeError('begin(job) comes first')
    return _workshop.attempt(seed)


def _end_with(sentinel: int) -> None:
    """Wait for the parent's end, however it comes, and end too: nobody would take the work."""
    connection.wait([sentinel])
    os._exit(1)
