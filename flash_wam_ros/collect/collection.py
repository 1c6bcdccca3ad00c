"""A dataset of demonstrations, made by several processes and taken up again where it stopped.

The dataset is the one truth about what succeeded; ``collection.json`` beside it tells the rest:
seeds that failed and why, how long it took, on how many workers. Both grow in the order of the
seeds, so that the same command gives the same dataset whatever the number of workers.
"""

import json
import multiprocessing
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

from flash_wam_ros.collect import features as keys
from flash_wam_ros.collect.disturbance import DisturbanceConfig
from flash_wam_ros.collect.seeds import FIRST_DEMONSTRATION_SEED
from flash_wam_ros.collect.turns import TurnsConfig
from flash_wam_ros.collect.worker import Attempt, Job, attempt, begin
from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.lerobot import LeRobotWriter
from flash_wam_ros.evaluate.results import write_json
from flash_wam_ros.sim.tasks import TASKS

RECORD_NAME = 'collection.json'
_WORK = '.workers'
_AHEAD = 3  # seeds in work or waiting for each worker
_RECORD_EVERY = 10

Report = Callable[[int, int], None]
"""Told the finished and the failed episodes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionConfig:
    """What is collected; fixed for the whole life of a dataset.

    Attributes:
        task: name of the task.
        disturbance: how the expert is disturbed, None for not at all.
        first_seed: seed of the first attempt; the others count up from it.
        learner: folder of a model that drives in turns with the expert; '' for none.
        sampling: how that model is sampled; '' for its own steps.
        turns: how long the model drives, and the expert after it.
    """

    task: str
    disturbance: DisturbanceConfig | None = field(default_factory=DisturbanceConfig)
    first_seed: int = FIRST_DEMONSTRATION_SEED
    learner: str = ''
    sampling: str = ''
    turns: TurnsConfig = field(default_factory=TurnsConfig)

    def __post_init__(self) -> None:
        """Refuse unknown tasks and seeds that evaluations use."""
        if self.task not in TASKS:
            raise UserError(f'unknown task {self.task!r}; {did_you_mean(self.task, TASKS)}')
        if not self.first_seed >= FIRST_DEMONSTRATION_SEED:
            raise UserError(
                f"seed {self.first_seed} is an evaluation's; demonstrations begin at "
                f'{FIRST_DEMONSTRATION_SEED}'
            )
        if self.learner and not Path(self.learner).is_dir():
            raise UserError(f'{self.learner} is no folder; give the folder of a model')


@dataclass(kw_only=True, slots=True)
class Record:
    """What a collection has to tell beside its dataset.

    Attributes:
        config: what is collected.
        failures: seed -> why it failed; these episodes are not in the dataset.
        episodes: finished episodes.
        simulated_s: simulated time of them [s].
        wall_s: wall time of all sessions together [s].
        cpu_s: processor time of the attempts that were taken over [s].
        timed_attempts: how many attempts ``cpu_s`` is the sum of.
    """

    config: CollectionConfig
    failures: dict[int, str] = field(default_factory=dict)
    episodes: int = 0
    simulated_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    timed_attempts: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


def collect(
    config: CollectionConfig, root: Path, episodes: int, workers: int, report: Report
) -> Record:
    """Collect until the dataset in ``root`` holds ``episodes`` demonstrations.

    Args:
        config: what is collected.
        root: folder of the dataset; taken up again if it is there.
        episodes: how many demonstrations are wanted in all.
        workers: number of processes.
        report: told after each attempt.

    Raises:
        UserError: the numbers make no sense, or ``root`` holds another collection.
    """
    for what, value in (('episodes', episodes), ('workers', workers)):
        if not value >= 1:
            raise UserError(f'{what} {value} must be at least 1')
    record = _opened(root, config)
    with LeRobotWriter(
        root,
        fps=keys.FPS,
        features=keys.features(config.task),
        robot_type='unitree_g1',
        episode_fields=keys.EPISODE_FIELDS,
        settings=keys.VIDEO,
    ) as writer:
        work = root / _WORK
        shutil.rmtree(work, ignore_errors=True)
        session = _Session(writer, record, root / RECORD_NAME)
        job = Job(
            task=config.task,
            info=writer.info,
            folder=work,
            disturbance=config.disturbance,
            learner=config.learner,
            sampling=config.sampling,
            turns=config.turns,
        )
        try:
            session.run(job, episodes, workers, report)
        finally:
            session.save()
            shutil.rmtree(work, ignore_errors=True)
    return record


class _Session:
    """One sitting: takes attempts over in the order of their seeds."""

    def __init__(self, writer: LeRobotWriter, record: Record, path: Path) -> None:
        self._writer = writer
        self._record = record
        self._path = path
        self._begin_s = perf_counter()
        self._spent_s = record.wall_s

    def run(self, job: Job, episodes: int, workers: int, report: Report) -> None:
        """Attempt seed after seed until there are ``episodes``."""
        report(self._writer.total_episodes, len(self._record.failures))
        if self._writer.total_episodes >= episodes:
            return
        for done in _attempts(job, self._seeds(), workers):
            self._take(done)
            report(self._writer.total_episodes, len(self._record.failures))
            if self._writer.total_episodes >= episodes:
                return

    def save(self) -> None:
        """Write the record."""
        record = self._record
        record.wall_s = self._spent_s + perf_counter() - self._begin_s
        record.episodes = self._writer.total_episodes
        record.simulated_s = float(sum(self._writer.field_values('duration_s')))
        write_json(self._path, record.as_dict())

    def _seeds(self) -> Iterator[int]:
        known = set(self._writer.field_values('seed')) | set(self._record.failures)
        return (seed for seed in count(self._record.config.first_seed) if seed not in known)

    def _take(self, done: Attempt) -> None:
        self._record.cpu_s += done.cpu_s
        self._record.timed_attempts += 1
        if done.folder is None:
            self._record.failures[done.seed] = done.reason
        else:
            self._writer.adopt(done.folder)
        known = self._writer.total_episodes + len(self._record.failures)
        if done.folder is None or known % _RECORD_EVERY == 0:
            self.save()


def _attempts(job: Job, seeds: Iterator[int], workers: int) -> Iterator[Attempt]:
    """Yield attempts in the order of ``seeds``, made by ``workers`` processes."""
    context = multiprocessing.get_context('spawn')
    pool = ProcessPoolExecutor(workers, context, initializer=begin, initargs=(job,))
    waiting: deque[Future[Attempt]] = deque()
    try:
        while True:
            while len(waiting) < _AHEAD * workers:
                waiting.append(pool.submit(attempt, next(seeds)))
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def read_record(root: Path) -> Record:
    """Return the record of the collection in ``root``; raise UserError if there is none."""
    path = root / RECORD_NAME
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
        config = dict(content.pop('config'))
        disturbance = config.pop('disturbance')
        turns = TurnsConfig(**config.pop('turns', {}))  # older records know none
        failures = {int(seed): str(why) for seed, why in content.pop('failures').items()}
        return Record(
            config=CollectionConfig(
                disturbance=None if disturbance is None else DisturbanceConfig(**disturbance),
                turns=turns,
                **config,
            ),
            failures=failures,
            **content,
        )
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror}); is it a collection?') from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f'{path} is not the record of a collection ({type(error).__name__}: {error}); '
            'give another folder'
        ) from None


def _opened(root: Path, config: CollectionConfig) -> Record:
    """Return the record in ``root``, or a new one; refuse that of another collection."""
    if not (root / RECORD_NAME).is_file():
        return Record(config=config)
    record = read_record(root)
    if record.config != config:
        raise UserError(f'{root} was collected with {record.config}; give another folder')
    return record
