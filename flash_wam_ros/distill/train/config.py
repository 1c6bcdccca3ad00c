"""Configuration of a training run: YAML with strict keys, and ``key=value`` overrides."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.keyframe_windows import KeyframeSpec
from flash_wam_ros.data.windows import WindowSpec
from flash_wam_ros.distill.look import LookConfig
from flash_wam_ros.distill.noising import Draws, LevelConfig
from flash_wam_ros.distill.objective import OptimiserConfig
from flash_wam_ros.distill.recipes import make_recipe
from flash_wam_ros.distill.teacher import TeacherConfig
from flash_wam_ros.wam.settings import from_strict_dict

DTYPES = ('fp32', 'bf16')


@dataclass(frozen=True, kw_only=True, slots=True)
class StartConfig:
    """Where the network comes from.

    Attributes:
        checkpoint: model folder; empty starts from random weights.
        preset: cameras, chunks and actions; empty takes them from the checkpoint's wam.json.
        size: size of a network with random weights.
        student: model folder whose weights the student of a recipe begins with, to go on with it
            under the teacher of ``checkpoint``; empty begins with the teacher's.
    """

    checkpoint: str = ''
    preset: str = ''
    size: str = 'tiny'
    student: str = ''

    def __post_init__(self) -> None:
        if not self.checkpoint and not self.preset:
            raise UserError('start needs a checkpoint or a preset; e.g. start.preset=g1')
        if self.student and not self.checkpoint:
            raise UserError('start.student needs a teacher; give start.checkpoint')


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Where windows come from.

    Attributes:
        dataset: LeRobot folder with encoded latents; empty makes synthetic windows.
        latents: which latent cache, where a dataset has several.
        windows: how windows are cut.
        synthetic_windows: how many synthetic windows.
        workers: processes that load windows ahead; 0 loads them in the training process.
        keyframes: windows at every phase of datasets whose codec sees single frames, in place of
            ``dataset``; codec and text encoder are those of ``start.checkpoint``.
    """

    dataset: str = ''
    latents: str = ''
    windows: WindowSpec = field(default_factory=lambda: WindowSpec(frames=4))
    synthetic_windows: int = 64
    workers: int = 0
    keyframes: KeyframeSpec | None = None

    def __post_init__(self) -> None:
        if self.synthetic_windows < 1 or self.workers < 0:
            raise UserError(
                f'synthetic_windows {self.synthetic_windows} must be >= 1 and workers '
                f'{self.workers} >= 0'
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopConfig:
    """Steps, batches and what is kept.

    Attributes:
        steps: training steps.
        micro_batch: windows a forward pass (1 allows windows of unequal length).
        micro_batches: micro-batches of one update over all processes; times ``micro_batch`` it
            is the global batch.
        seed: of weights, order, noise.
        dtype: ``bf16`` computes in bf16 with fp32 master weights, gradients and averages.
        recompute_blocks: recompute each block in the backward pass to save memory.
        compiled: compile each block with torch.compile; needs a C++ compiler and, on a CPU, pays
            from some hundred steps on.
        checkpoint_every: steps between checkpoints.
        keep_checkpoints: how many of the newest are kept.
        picture_every: steps between pictures of predicted against true video; 0 for none.
        export_every: steps between exports of the model as it is, for a look on the way; 0 for
            one at the end alone.
        error_steps: at the end one step of the network is compared, at several noise levels,
            with a path of so many Euler steps; 0 leaves that out.
        wandb: project of Weights & Biases that the metrics also go to; empty for none.
        device: ``cpu`` or ``cuda``.
    """

    steps: int
    micro_batch: int = 1
    micro_batches: int = 1
    seed: int = 0
    dtype: str = 'fp32'
    recompute_blocks: bool = False
    compiled: bool = False
    checkpoint_every: int = 1000
    keep_checkpoints: int = 2
    picture_every: int = 0
    export_every: int = 0
    error_steps: int = 8
    wandb: str = ''
    device: str = 'cpu'

    def __post_init__(self) -> None:
        for name in ('steps', 'micro_batch', 'micro_batches', 'checkpoint_every',
                     'keep_checkpoints'):  # fmt: skip
            if not getattr(self, name) >= 1:
                raise UserError(f'loop.{name} {getattr(self, name)} must be at least 1')
        for name in ('picture_every', 'export_every', 'error_steps', 'seed'):
            if not getattr(self, name) >= 0:
                raise UserError(f'loop.{name} {getattr(self, name)} must not be negative')
        if self.dtype not in DTYPES:
            raise UserError(f'unknown dtype {self.dtype!r}; {did_you_mean(self.dtype, DTYPES)}')
        if self.device not in ('cpu', 'cuda'):
            raise UserError(f'unknown device {self.device!r}; valid: cpu, cuda')


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """A whole training run.

    Attributes:
        out: folder of the run.
        start: the network.
        data: the windows.
        loop: steps and batches.
        optimiser: AdamW.
        look: how a network is trained to look before it acts; None for all other runs.
        teacher: how a teacher is trained; None for all other runs.
        recipe: ``name``, ``values`` and options of a recipe; None for all but a distillation.
        draws: how noise levels are drawn (see LevelConfig).
    """

    out: str
    start: StartConfig
    loop: LoopConfig
    optimiser: OptimiserConfig
    data: DataConfig = field(default_factory=DataConfig)
    look: LookConfig | None = None
    teacher: TeacherConfig | None = None
    recipe: Mapping[str, Any] | None = None
    draws: Draws = 'published'

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.look, self.teacher, self.recipe)) != 1:
            raise UserError(
                'a run has one section of look (train), teacher (train) and recipe (distill)'
            )
        if self.look is not None and (self.loop.picture_every or self.loop.error_steps):
            raise UserError('look imagines nothing; set loop.picture_every=0 loop.error_steps=0')
        if self.look is not None and self.loop.dtype != 'fp32':
            raise UserError(f'look runs in fp32, not in {self.loop.dtype}; set loop.dtype=fp32')
        LevelConfig(draws=self.draws)
        if self.data.keyframes is not None and not self.start.checkpoint:
            raise UserError(
                'data.keyframes takes codec and text encoder from start.checkpoint; make one with '
                '`flash-wam train base`'
            )
        if self.start.student and self.recipe is None:
            raise UserError('start.student is that of a recipe; leave it out')
        if self.recipe is not None:
            if 'name' not in self.recipe:
                raise UserError('recipe has no name; e.g. recipe.name=flash_wam')
            make_recipe(**self.recipe)

    def to_yaml(self) -> str:
        """Return the configuration as the file that would make it."""
        plain = asdict(self)
        return yaml.safe_dump({k: v for k, v in plain.items() if v is not None}, sort_keys=False)


def _data(values: Mapping[str, Any]) -> DataConfig:
    parts = dict(values)
    if parts.get('keyframes') is not None:
        parts['keyframes'] = from_strict_dict(KeyframeSpec, parts['keyframes'], 'data.keyframes')
    if 'windows' in parts:
        parts['windows'] = from_strict_dict(WindowSpec, parts['windows'], 'data.windows')
    return from_strict_dict(DataConfig, parts, 'data')


def _teacher(values: Mapping[str, Any]) -> TeacherConfig:
    return from_strict_dict(TeacherConfig, _plain(values), 'teacher')


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


_SECTIONS = {
    'start': lambda v: from_strict_dict(StartConfig, v, 'start'),
    'loop': lambda v: from_strict_dict(LoopConfig, v, 'loop'),
    'optimiser': lambda v: from_strict_dict(OptimiserConfig, v, 'optimiser'),
    'data': _data,
    'look': lambda v: from_strict_dict(LookConfig, v, 'look'),
    'teacher': _teacher,
}


def from_tables(values: Mapping[str, Any]) -> RunConfig:
    """Return the configuration of plain tables; unknown keys raise UserError."""
    parts = dict(values)
    for name, read in _SECTIONS.items():
        if name in parts:
            if not isinstance(parts[name], Mapping):
                raise UserError(f'{name} is {parts[name]!r}, expected a table of settings')
            try:
                parts[name] = read(parts[name])
            except TypeError as error:
                raise UserError(f'{name}: a value has the wrong type: {error}') from None
    return from_strict_dict(RunConfig, parts, 'configuration')


def overridden(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return nested tables with ``section.key=value`` changes; values are read as YAML."""
    result = yaml.safe_load(yaml.safe_dump(dict(values)))
    for override in overrides:
        path, equals, text = override.partition('=')
        if not equals or not path:
            raise UserError(f'override {override!r} is not key=value; e.g. loop.steps=100')
        table = result
        *sections, last = path.split('.')
        for section in sections:
            if table.get(section) is None:
                table[section] = {}
            table = table[section]
            if not isinstance(table, dict):
                raise UserError(f'override {override!r}: {section} is no table')
        table[last] = _value(text)
    return dict(result)


def _value(text: str) -> Any:
    """Read a value as YAML; also 1e-4, which YAML 1.1 takes for a string."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f'value {text!r} is not YAML: {" ".join(str(error).split())}') from None
    return _number(value)


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _number(v) for k, v in value.items()}
    if isinstance(value, str) and value[:1].isdigit():
        try:
            return float(value)
        except ValueError:
            return value
    return value


def read_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a YAML file; UserError if it cannot be read."""
    try:
        values = yaml.safe_load(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror}); check the path') from None
    except yaml.YAMLError as error:
        raise UserError(f'{path} is not YAML: {" ".join(str(error).split())}') from None
    if not isinstance(values, dict):
        raise UserError(f'{path} holds no table of settings; see the files in config/')
    return dict(_number(values))


def section_names() -> list[str]:
    """Return the keys of a configuration file."""
    return [f.name for f in fields(RunConfig)]
