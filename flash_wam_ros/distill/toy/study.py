"""Every recipe on the toy world, several seeds: train a teacher, distil it, score the student.

One seed's scores are one JSON file; a study that was interrupted goes on with the seeds that
have none.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.distill.consistency import ConsistencyFunction
from flash_wam_ros.distill.noising import LevelConfig
from flash_wam_ros.distill.objective import Objective, OptimiserConfig
from flash_wam_ros.distill.recipes import RECIPES, Recipe, Setting, make_recipe
from flash_wam_ros.distill.teacher import TeacherConfig, TeacherObjective
from flash_wam_ros.distill.toy.measure import (
    Examination,
    Sampler,
    Scores,
    euler_sampler,
    function_sampler,
)
from flash_wam_ros.distill.toy.network import ToyNetwork
from flash_wam_ros.distill.toy.world import K, draw_windows
from flash_wam_ros.distill.train.atomic import write_text
from flash_wam_ros.distill.train.seeding import generator
from flash_wam_ros.distill.train.stepper import BatchOf, Stepper
from flash_wam_ros.distill.window import CleanBatch

TEACHER_ROW = 'teacher'
EMPTY_TEXT = torch.zeros(1, 1, 1)
EMA_DECAY = 0.98

Tick = Callable[[str], None]
"""Called with what is being done, once a training step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyConfig:
    """Sizes of a study.

    Attributes:
        teacher_steps: optimiser steps of the teacher.
        student_steps: optimiser steps of every student.
        batch: windows a step.
        windows: recorded windows of a seed, drawn from the world.
        teacher_lr: learning rate of the teacher.
        student_lr: learning rate of every student.
        euler_steps: Euler steps of the teacher's row.
        examined: windows that samplers are scored on.
    """

    teacher_steps: int = 1500
    student_steps: int = 300
    batch: int = 64
    windows: int = 16384
    teacher_lr: float = 2e-3
    student_lr: float = 1e-3
    euler_steps: int = 16
    examined: int = 1024

    def __post_init__(self) -> None:
        for name in (
            'teacher_steps',
            'student_steps',
            'batch',
            'windows',
            'euler_steps',
            'examined',
        ):
            if getattr(self, name) < 1:
                raise UserError(f'{name} {getattr(self, name)} must be at least 1')


def toy_setting() -> Setting:
    """Return what recipes are told about the toy world."""
    return Setting(levels=LevelConfig(), chunk_size=K, empty_text=EMPTY_TEXT)


def toy_recipe(name: str) -> Recipe:
    """Return a recipe with the paper's values but for two.

    The world has no prompts, so there is no guidance; and runs are some thirty times shorter
    than the paper's, so the average forgets accordingly faster.
    """
    return make_recipe(name, guidance_min=1.0, guidance_max=1.0, ema_decay=EMA_DECAY)


def batches(config: StudyConfig, seed: int) -> BatchOf:
    """Return micro-batches drawn with replacement from a seed's recorded windows."""
    pool = draw_windows(config.windows, generator(seed, 1))

    def batch_of(number: int) -> CleanBatch:
        rng = generator(seed, 2, number)
        rows = torch.randint(config.windows, (config.batch,), generator=rng)
        return CleanBatch(
            latent=pool.latent[rows],
            actions=pool.actions[rows],
            actions_mask=pool.actions_mask[rows],
            text_emb=pool.text_emb[rows],
        )

    return batch_of


def fit(
    objective: Objective,
    optimiser: OptimiserConfig,
    batch_of: BatchOf,
    steps: int,
    seed: int,
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Run ``steps`` training steps."""
    stepper = Stepper(objective, optimiser, batch_of, seed=seed)
    for step in range(steps):
        stepper.step(step)
        tick()


def train_teacher(config: StudyConfig, seed: int, batch_of: BatchOf, tick: Tick) -> nn.Module:
    """Return the moving average of a network trained by flow matching."""
    torch.manual_seed(seed)
    recipe = TeacherConfig(history_noise=0.0, text_dropout=0.0, ema_decay=0.99)
    objective = TeacherObjective(recipe, ToyNetwork(), LevelConfig(), EMPTY_TEXT)
    optimiser = OptimiserConfig(lr=config.teacher_lr, beta2=0.95)
    fit(objective, optimiser, batch_of, config.teacher_steps, seed, lambda: tick(TEACHER_ROW))
    return objective.networks['average']


def distil(
    name: str, teacher: nn.Module, config: StudyConfig, seed: int, batch_of: BatchOf, tick: Tick
) -> nn.Module:
    """Return the moving average of the student that a recipe makes."""
    recipe = toy_recipe(name)
    if not recipe.trains:
        return teacher
    objective = recipe.objective(teacher, toy_setting())
    optimiser = OptimiserConfig(lr=config.student_lr)
    fit(objective, optimiser, batch_of, config.student_steps, seed, lambda: tick(name))
    return objective.networks['average']


def _pair(network: nn.Module, steps: int) -> tuple[Sampler, Sampler]:
    return tuple(euler_sampler(network, steps, action=a) for a in (False, True))  # type: ignore[return-value]


def score_student(name: str, network: nn.Module, examination: Examination) -> dict[str, Scores]:
    """Return the scores of a student sampled by its own functions, by Euler, and in 1v/2a."""
    recipe = toy_recipe(name)
    own = (
        function_sampler(network, recipe.video_function(), action=False),
        function_sampler(network, _own_action(name, recipe), action=True),
    )
    two_steps = (_pair(network, 1)[0], _pair(network, 2)[1])
    return {
        'own': examination.score(*own),
        'euler': examination.score(*_pair(network, 1)),
        'euler_1v2a': examination.score(*two_steps),
    }


def _own_action(name: str, recipe: Recipe) -> ConsistencyFunction | None:
    return None if name == 'flow_map' else recipe.action_function()


def run_seed(
    seed: int, names: Sequence[str], config: StudyConfig, examination: Examination, tick: Tick
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the scores of the teacher and of every named recipe: row, sampler, measure."""
    batch_of = batches(config, seed)
    teacher = train_teacher(config, seed, batch_of, tick)
    many = examination.score(*_pair(teacher, config.euler_steps))
    rows = {TEACHER_ROW: {'euler': many.as_dict()}}
    for name in names:
        student = distil(name, teacher, config, seed, batch_of, tick)
        scores = score_student(name, student, examination)
        rows[name] = {sampler: s.as_dict() for sampler, s in scores.items()}
    return rows


def run_study(
    folder: Path, names: Sequence[str], seeds: int, config: StudyConfig, tick: Tick
) -> dict[int, dict[str, dict[str, dict[str, float]]]]:
    """Return the scores of every seed, from its file where it has one; write the others."""
    for name in names:
        if name not in RECIPES:
            raise UserError(f'unknown recipe {name!r}; {did_you_mean(name, RECIPES)}')
    if seeds < 1:
        raise UserError(f'{seeds} seeds; at least 1')
    folder.mkdir(parents=True, exist_ok=True)
    examination = Examination(config.examined)
    results = {}
    for seed in range(seeds):
        path = folder / f'seed_{seed:03d}.json'
        rows = json.loads(path.read_text()) if path.exists() else {}
        if not {TEACHER_ROW, *names} <= set(rows):
            rows = run_seed(seed, names, config, examination, tick)
            write_text(path, json.dumps(rows, indent=1))
        results[seed] = rows
    return results
