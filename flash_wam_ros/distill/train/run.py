"""A training run: networks, data, steps, checkpoints, records, export."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.look import LookObjective
from flash_wam_ros.distill.noising import LevelConfig, noised
from flash_wam_ros.distill.objective import Objective
from flash_wam_ros.distill.one_step import Functions, one_step_errors, write_errors
from flash_wam_ros.distill.recipes import Setting, make_recipe
from flash_wam_ros.distill.step import euler
from flash_wam_ros.distill.teacher import TeacherObjective
from flash_wam_ros.distill.train import checkpoints, export
from flash_wam_ros.distill.train.atomic import write_text
from flash_wam_ros.distill.train.config import RunConfig, from_tables, read_tables
from flash_wam_ros.distill.train.processes import barrier, process_group, shard
from flash_wam_ros.distill.train.records import Records, latent_picture
from flash_wam_ros.distill.train.seeding import generator
from flash_wam_ros.distill.train.sources import Ahead, MicroBatches, open_source
from flash_wam_ros.distill.train.stepper import (
    NonFiniteLossError,
    Share,
    Stepper,
    StepRecord,
)
from flash_wam_ros.distill.wam_network import WamNetwork
from flash_wam_ros.distill.window import CleanBatch, Velocities, View
from flash_wam_ros.wam.block import Block
from flash_wam_ros.wam.checkpoint import load_transformer
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.pipeline import INFERENCE_ATTENTION, TRANSFORMER, load_config
from flash_wam_ros.wam.presets import preset
from flash_wam_ros.wam.schedule import TRAIN_STEPS
from flash_wam_ros.wam.transformer import WorldActionTransformer

CONFIG_NAME = 'run.yaml'
BAD_BATCH = 'bad_batch'
_PICTURE, _ERRORS = 7, 8
_ERROR_WINDOWS = 8

Progress = Callable[[int, int, StepRecord], None]
"""Called after a step with (steps done, steps in all, what happened)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """What a run made.

    Attributes:
        steps_done: steps behind it.
        last: record of the last step; None if there was none to do.
        model: folder of the exported model.
    """

    steps_done: int
    last: StepRecord | None
    model: Path


def start_network(config: RunConfig) -> tuple[WamConfig, WamNetwork]:
    """Return the configuration and the network that a run starts from.

    Raises:
        UserError: no such checkpoint or preset.
    """
    start = config.start
    if start.checkpoint:
        folder = Path(start.checkpoint)
        wam = load_config(folder, preset_name=start.preset or None)
        # Masters are fp32 whatever was stored; bf16 storage would swallow small updates.
        transformer = _load(folder)
    else:
        wam = preset(start.preset, start.size)
        torch.manual_seed(config.loop.seed)
        transformer = WorldActionTransformer(wam.model)
    transformer.recompute_blocks = config.loop.recompute_blocks
    view = View(wam.chunk.frames_per_chunk, wam.chunk.attn_window)
    return wam, WamNetwork(transformer, view)


def _load(folder: Path) -> WorldActionTransformer:
    return load_transformer(
        folder / TRANSFORMER, attn_mode=INFERENCE_ATTENTION, dtype=torch.float32
    )


def run_levels(config: RunConfig, wam: WamConfig) -> LevelConfig:
    """Return the noise levels of a run."""
    return LevelConfig(
        video_shift=wam.video.shift, action_shift=wam.action.shift, draws=config.draws
    )


def make_objective(
    config: RunConfig, wam: WamConfig, network: WamNetwork, empty_text: Tensor
) -> Objective:
    """Return the objective of a run's look, teacher or recipe section."""
    if config.look is not None:
        return LookObjective(config.look, network)
    levels = run_levels(config, wam)
    if config.teacher is not None:
        return TeacherObjective(config.teacher, network, levels, empty_text)
    assert config.recipe is not None
    setting = Setting(levels=levels, chunk_size=wam.chunk.frames_per_chunk, empty_text=empty_text)
    objective = make_recipe(**config.recipe).objective(network, setting)
    if config.start.student:
        _begin_with(objective, Path(config.start.student))
    return objective


def _begin_with(objective: Objective, folder: Path) -> None:
    """Give the student and its average the weights of ``folder``."""
    weights = _load(folder).state_dict()
    for name in ('online', 'average'):
        network = objective.networks[name]
        assert isinstance(network, WamNetwork)
        found = network.transformer.state_dict()
        if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in weights.items()}:
            raise UserError(
                f'start.student {folder} holds another network than this recipe trains; '
                'take one that was distilled from this teacher by the same recipe'
            )
        network.transformer.load_state_dict(weights)


def _place(objective: Objective, config: RunConfig, device: torch.device, grouped: bool) -> None:
    """Move the networks to their device; shard them where there is a process group."""
    dtype = torch.bfloat16 if config.loop.dtype == 'bf16' else torch.float32
    for network in objective.networks.values():
        network.to(device)
        if config.loop.compiled:
            _compile_blocks(network)
        if grouped:
            shard(network, dtype, device)


def _compile_blocks(network: nn.Module) -> None:
    """Compile each block by itself: they are alike, so one compilation serves them all."""
    for module in network.modules():
        if isinstance(module, Block):
            module.compile()


def execute(
    config: RunConfig,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = lambda words: None,
) -> RunResult:
    """Run, or go on with, a training run; returns when its steps are done.

    Args:
        config: the run.
        progress: told of each step.
        say: told what is done beside the steps.

    Raises:
        UserError: bad configuration or data, a disk that refuses, or a loss that is no number
            (the batch is kept beside the run).
    """
    grouped_alone = config.loop.dtype == 'bf16'
    with process_group(config.loop.device, always=grouped_alone) as (share, device):
        run = _Run(config, share, device, grouped=grouped_alone or share.world > 1)
        return run.execute(progress, say)


class _Run:
    def __init__(
        self, config: RunConfig, share: Share, device: torch.device, *, grouped: bool
    ) -> None:
        self.config, self.share = config, share
        self.folder = Path(config.out)
        self._claim_folder()
        self.wam, network = start_network(config)
        source, empty = open_source(
            config.data, self.wam, config.loop.seed, config.start.checkpoint
        )
        self.batches = MicroBatches(source, config.loop.micro_batch, config.loop.seed)
        self.objective = make_objective(config, self.wam, network, empty.to(device))
        _place(self.objective, config, device, grouped)
        self.stepper = Stepper(
            self.objective,
            config.optimiser,
            self.batches.__getitem__,
            micro_batches=config.loop.micro_batches,
            seed=config.loop.seed,
            share=share,
            device=device,
        )
        self.device = device

    def _claim_folder(self) -> None:
        """Write the configuration, or refuse a folder that was begun with another."""
        barrier()
        path, text = self.folder / CONFIG_NAME, self.config.to_yaml()
        if path.exists() and not _same_run(from_tables(read_tables(path)), self.config):
            raise UserError(
                f'{self.folder} holds a run of another configuration ({path}); '
                'choose another out, or repeat its settings to resume it'
            )
        if self.share.rank == 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(path, text)
        barrier()

    def execute(self, progress: Progress, say: Callable[[str], None]) -> RunResult:
        done, last = self._resume(), None
        loop = self.config.loop
        if self.config.data.workers:
            self._load_ahead(done)
        records = None
        if self.share.rank == 0:
            records = Records(self.folder, done, wandb_project=loop.wandb)
        try:
            while done < loop.steps:
                last = self._step(done)
                if records is not None:
                    records.scalars(done, last.scalars())
                done += 1
                self._picture(done, records)
                if done % loop.checkpoint_every == 0 or done == loop.steps:
                    checkpoints.save(self.folder, self.stepper, done, loop.keep_checkpoints)
                if loop.export_every and done % loop.export_every == 0:
                    export.export_model(self.folder, self.objective, self.wam, self.config)
                progress(done, loop.steps, last)
        finally:
            if records is not None:
                records.close()
        if loop.error_steps:
            say('measuring the error of one step')
            self._measure()
        model = export.export_model(self.folder, self.objective, self.wam, self.config)
        return RunResult(steps_done=done, last=last, model=model)

    def _resume(self) -> int:
        found = checkpoints.checkpoints(self.folder)
        return checkpoints.load(found[-1], self.stepper) if found else 0

    def _load_ahead(self, done: int) -> None:
        steps = range(done, self.config.loop.steps)
        numbers = [number for step in steps for number in self.stepper.numbers(step)]
        self.stepper.batch_of = Ahead(self.batches, numbers, self.config.data.workers)

    def _step(self, step: int) -> StepRecord:
        try:
            return self.stepper.step(step)
        except NonFiniteLossError as error:
            path = self.folder / f'{BAD_BATCH}_{step:08d}_rank{self.share.rank}.safetensors'
            save_file(_tensors(error.batches), path)
            raise UserError(
                f'{error}; stopped; its batches are in {path}; lower optimiser.lr or look at '
                'the data, then resume from the last checkpoint'
            ) from error

    def _picture(self, done: int, records: Records | None) -> None:
        """Add a picture of one-step video against the truth; all processes take part."""
        every = self.config.loop.picture_every
        if not every or done % every:
            return
        batch = self.batches[0].to(self.device)
        size, _, frames = batch.latent.shape[:3]
        full = torch.full((size, frames), float(TRAIN_STEPS), device=self.device)
        rng = generator(self.config.loop.seed, _PICTURE)
        window = noised(batch, full, full, rng).window
        window = replace(window, action_target_t=self._target(full))
        with torch.no_grad():
            velocity: Velocities = self.objective.networks['average'](window)
        made = euler(window.video, velocity.video, torch.zeros_like(full)).noisy
        if records is not None:
            picture = latent_picture(made[0].float().cpu(), batch.latent[0].float().cpu())
            records.picture(done, 'video/predicted_above_true', picture)

    def _measure(self) -> None:
        """Leave the one-step errors of the moving average; all processes take part."""
        loop, networks = self.config.loop, self.objective.networks
        average = networks['average']
        count = max(1, _ERROR_WINDOWS // loop.micro_batch)
        functions: Functions = (None, None)
        if self.config.recipe is not None:
            recipe = make_recipe(**self.config.recipe)
            functions = (recipe.video_function(), recipe.action_function())
        rows = one_step_errors(
            average,
            networks.get('teacher', average),
            [self.batches[number].to(self.device) for number in range(count)],
            run_levels(self.config, self.wam),
            functions,
            steps=loop.error_steps,
            rng=generator(loop.seed, _ERRORS),
            takes_target=export.takes_target(average),
        )
        if self.share.rank == 0:
            write_errors(self.folder, rows, loop.error_steps)

    def _target(self, full: Tensor) -> Tensor | None:
        mapped = export.takes_target(self.objective.networks['average'])
        return torch.zeros_like(full) if mapped else None


def _same_run(begun: RunConfig, wanted: RunConfig) -> bool:
    """Return whether one run goes on as the other; it may be made longer."""
    loop = replace(begun.loop, steps=wanted.loop.steps)
    return replace(begun, loop=loop) == wanted


def _tensors(batches: list[CleanBatch]) -> dict[str, Tensor]:
    named = {}
    for index, batch in enumerate(batches):
        for name in ('latent', 'actions', 'actions_mask', 'text_emb'):
            named[f'{index}.{name}'] = getattr(batch, name).contiguous().cpu()
    return named
