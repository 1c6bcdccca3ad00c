"""A long run of `safety_fuzz`, over several processes, that can be taken up where it stopped."""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.motion_check import ArmKinematics, Findings
from flash_wam_ros.evaluate.results import write_json
from flash_wam_ros.evaluate.safety_fuzz import TRIAL, Fuzzer
from flash_wam_ros.robots.g1_layout import POLICY, STATE
from flash_wam_ros.safety.clearance import ClearanceModel
from flash_wam_ros.safety.points import ArmPoints
from flash_wam_ros.sim.description import build_urdf

_CONTROLLER_EVERY = 20
_BATCH = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class FuzzSetting:
    """What a run does.

    Attributes:
        commands: how many commands are to be judged, rounded up to whole trials.
        seed: of the run.
        clearance: every trial is the whole controller with its check of clearance; otherwise
            one trial in twenty is the whole controller and the others are the filter alone.
    """

    commands: int
    seed: int
    clearance: bool

    @property
    def trials(self) -> int:
        """Return how many trials make that many commands."""
        return -(-self.commands // TRIAL)


def run(setting: FuzzSetting, path: Path | None, processes: int) -> Iterator[Findings]:
    """Yield the findings so far after every few trials; ``path`` keeps them.

    Raises:
        UserError: ``path`` holds a run of another seed or kind.
    """
    done, found = _taken_up(setting, path)
    if done >= setting.trials:
        yield found
        return
    with ProcessPoolExecutor(processes, mp_context=get_context('spawn')) as pool:
        while done < setting.trials:
            upto = min(setting.trials, done + _BATCH * processes)
            numbers = range(done, upto)
            jobs = [(setting.clearance, setting.seed, number) for number in numbers]
            for part in pool.map(_one, jobs):
                found.add(part)
            done = upto
            if path is not None:
                write_json(path, {'setting': asdict(setting), 'done': done, **_plain(found)})
            yield found


def _one(job: tuple[bool, int, int]) -> Findings:
    clearance, seed, number = job
    kind = 'controller' if number % _CONTROLLER_EVERY == 0 else 'filter'
    found = _fuzzer(clearance).trial('clearance' if clearance else kind, seed, number)
    if found.violations:
        found.trials.append(number)
    return found


@lru_cache(maxsize=2)
def _fuzzer(clearance: bool) -> Fuzzer:
    urdf = build_urdf()
    points, kinematics = ArmPoints(urdf, POLICY), ArmKinematics(urdf, POLICY.names)
    if not clearance:
        return Fuzzer(points, kinematics)
    from flash_wam_ros.evaluate.body_distance import BodyDistance

    return Fuzzer(points, kinematics, ClearanceModel(urdf, STATE), BodyDistance())


def _plain(found: Findings) -> dict[str, object]:
    return {
        'commands': found.commands,
        'violations': dict(found.violations),
        'worst': found.worst,
        'trials': found.trials,
    }


def _taken_up(setting: FuzzSetting, path: Path | None) -> tuple[int, Findings]:
    found = Findings()
    if path is None or not path.exists():
        return 0, found
    try:
        kept = json.loads(path.read_text())
        same = {**kept['setting'], 'commands': setting.commands} == asdict(setting)
        found.commands, found.worst = int(kept['commands']), dict(kept['worst'])
        found.violations.update(kept['violations'])
        found.trials += kept.get('trials', [])
        done = int(kept['done'])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f'{path} is no run of this benchmark ({error}); name another') from None
    if not same:
        raise UserError(f'{path} holds a run of another seed or kind; name another file')
    return done, found
