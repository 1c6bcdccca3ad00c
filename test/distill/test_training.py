"""A training run: exact resume, one process or two, whole checkpoints, clear stops."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from distill_worlds import run_config
from safetensors.torch import load_file
from waiting import wait_for

from flash_wam_ros.cli.main import main
from flash_wam_ros.core import UserError
from flash_wam_ros.distill.train import checkpoints
from flash_wam_ros.distill.train.config import RunConfig
from flash_wam_ros.distill.train.records import read_losses
from flash_wam_ros.distill.train.run import execute, make_objective, start_network
from flash_wam_ros.distill.train.sources import SyntheticWindows, order
from flash_wam_ros.wam.checkpoint import load_transformer
from flash_wam_ros.wam.pipeline import load_config


def losses(out: Path) -> list[float]:
    return [row['loss/online/total'] for row in read_losses(out)]


def longer(config: RunConfig, steps: int) -> RunConfig:
    return replace(config, loop=replace(config.loop, steps=steps))


def command(config: RunConfig, folder: Path) -> list[str]:
    """Return the arguments after python that run ``config`` from the command line."""
    path = folder / 'run_config.yaml'
    path.write_text(config.to_yaml())
    return ['-m', 'flash_wam_ros.cli.main', 'distill', str(path)]


def in_two_processes(config: RunConfig, folder: Path) -> None:
    launcher = [sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2']
    rendezvous = ['--rdzv-backend', 'c10d', '--rdzv-endpoint', 'localhost:0']
    done = subprocess.run(
        [*launcher, *rendezvous, *command(config, folder)],
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('c++') is None, reason='torch.compile needs a C++ compiler')
def test_compiled_blocks_give_the_losses_of_plain_ones(tmp_path: Path) -> None:
    plain = run_config(tmp_path / 'plain', recipe=None, steps=2)
    execute(plain)
    compiled = replace(plain.loop, compiled=True)
    execute(replace(plain, out=str(tmp_path / 'compiled'), loop=compiled))
    assert losses(tmp_path / 'compiled') == pytest.approx(losses(tmp_path / 'plain'), rel=1e-5)


@pytest.mark.parametrize('recipe', [None, 'flash_wam', 'flow_map', 'dmd2'])
def test_a_resumed_run_repeats_the_losses_of_an_uninterrupted_one(
    tmp_path: Path, recipe: str | None
) -> None:
    whole = run_config(tmp_path / 'whole', recipe=recipe, steps=3)
    execute(whole)
    parted = replace(whole, out=str(tmp_path / 'parted'))
    execute(longer(parted, 1))
    execute(parted)
    assert losses(tmp_path / 'parted') == losses(tmp_path / 'whole')


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_losses(tmp_path: Path) -> None:
    endless = run_config(tmp_path / 'killed', steps=100_000)
    process = subprocess.Popen(
        [sys.executable, *command(endless, tmp_path)],
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stderr=subprocess.DEVNULL,
    )
    wait_for(
        lambda: len(checkpoints.checkpoints(tmp_path / 'killed')) == 2,
        'a second checkpoint',
        patience_s=120,
    )
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = checkpoints.steps_of(checkpoints.checkpoints(tmp_path / 'killed')[-1])
    execute(longer(endless, done + 2))
    execute(longer(replace(endless, out=str(tmp_path / 'whole')), done + 2))
    assert losses(tmp_path / 'killed') == losses(tmp_path / 'whole')


@pytest.mark.slow
def test_two_processes_give_the_losses_of_one_and_each_resumes_the_other(tmp_path: Path) -> None:
    one = run_config(tmp_path / 'one', steps=5)
    execute(one)
    two_then_one = replace(one, out=str(tmp_path / 'two_then_one'))
    in_two_processes(longer(two_then_one, 3), tmp_path)
    execute(two_then_one)
    one_then_two = replace(one, out=str(tmp_path / 'one_then_two'))
    execute(longer(one_then_two, 2))
    in_two_processes(longer(one_then_two, 4), tmp_path)
    alone = losses(tmp_path / 'one')
    assert losses(tmp_path / 'two_then_one') == pytest.approx(alone, abs=1e-5)
    assert losses(tmp_path / 'one_then_two') == pytest.approx(alone[:4], abs=1e-5)


def test_bf16_compute_keeps_fp32_masters_and_stays_near_fp32(tmp_path: Path) -> None:
    execute(run_config(tmp_path / 'fp32', steps=2))
    execute(run_config(tmp_path / 'bf16', steps=2, dtype='bf16'))
    assert losses(tmp_path / 'bf16') == pytest.approx(losses(tmp_path / 'fp32'), rel=0.05)
    model = load_transformer(tmp_path / 'bf16' / 'model' / 'transformer', attn_mode='torch')
    assert model.dtype == torch.float32


def test_recomputing_blocks_changes_no_loss(tmp_path: Path) -> None:
    execute(run_config(tmp_path / 'kept', steps=2))
    execute(run_config(tmp_path / 'again', steps=2, recompute_blocks=True))
    assert losses(tmp_path / 'again') == pytest.approx(losses(tmp_path / 'kept'), abs=1e-6)


def test_accumulation_is_a_larger_batch(tmp_path: Path) -> None:
    """The mean over micro-batches is reported, and their gradients are averaged, not summed."""
    single = execute(run_config(tmp_path / 'one', steps=1, micro_batches=1)).last
    double = execute(run_config(tmp_path / 'two', steps=1, micro_batches=2)).last
    assert single is not None
    assert double is not None
    assert double.grad_norms['online'] < 2 * single.grad_norms['online']


def test_a_flow_map_leaves_a_model_that_takes_any_number_of_action_steps(tmp_path: Path) -> None:
    result = execute(run_config(tmp_path / 'run', recipe='flow_map', steps=1))
    config = load_config(result.model)
    assert (config.video.steps, config.action.steps) == (1, 2)
    assert config.model.target_time
    model = load_transformer(result.model / 'transformer', attn_mode='torch')
    assert model.target_embedder is not None


def test_a_student_goes_on_where_it_was_left_under_the_teacher_that_it_had(
    tmp_path: Path,
) -> None:
    teacher = execute(run_config(tmp_path / 'teacher', recipe=None, steps=1)).model
    first = execute(_distilled(tmp_path / 'first', teacher)).model
    config = _distilled(tmp_path / 'second', teacher)
    config = replace(config, start=replace(config.start, student=str(first)))
    wam, network = start_network(config)
    networks = make_objective(config, wam, network, torch.zeros(1, 8, 4096)).networks
    for name, folder in (('teacher', teacher), ('online', first), ('average', first)):
        left = load_transformer(folder / 'transformer', attn_mode='torch').state_dict()
        for key, value in networks[name].transformer.state_dict().items():
            torch.testing.assert_close(value, left[key].float(), msg=f'{name} {key}')
    assert execute(config).steps_done == 1


def test_a_student_of_another_shape_is_refused(tmp_path: Path) -> None:
    teacher = execute(run_config(tmp_path / 'teacher', recipe=None, steps=1)).model
    config = _distilled(tmp_path / 'run', teacher, recipe='flow_map')
    config = replace(config, start=replace(config.start, student=str(teacher)))
    with pytest.raises(UserError, match='holds another network than this recipe trains'):
        execute(config)


def _distilled(out: Path, teacher: Path, recipe: str = 'flash_wam') -> RunConfig:
    config = run_config(out, recipe=recipe, steps=1)
    return replace(config, start=replace(config.start, preset='', checkpoint=str(teacher)))


def test_weights_and_biases_without_its_package_is_one_line_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, 'wandb', None)
    with pytest.raises(UserError, match='pip install wandb'):
        execute(run_config(tmp_path / 'run', wandb='robots'))
    assert losses(tmp_path / 'run') == []


class _Spoilt(SyntheticWindows):
    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        sample = super().__getitem__(index)
        sample['latent'][0, 0] = float('nan')
        return sample


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_its_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(tmp_path / 'run', steps=3)
    execute(longer(config, 1))
    before = checkpoints.checkpoints(tmp_path / 'run')
    monkeypatch.setattr('flash_wam_ros.distill.train.sources.SyntheticWindows', _Spoilt)
    with pytest.raises(UserError, match=r'step 1, online.*stopped'):
        execute(config)
    (kept,) = (tmp_path / 'run').glob('bad_batch_*')
    assert load_file(kept)['0.latent'].isnan().any()
    assert checkpoints.checkpoints(tmp_path / 'run') == before


def test_a_full_disk_is_told_in_one_line_and_the_older_checkpoint_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config(tmp_path / 'run', steps=3)
    execute(longer(config, 1))

    def half_written(state: object, folder: Path) -> None:
        (folder / '__0_0.distcp').write_bytes(b'half')
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, '_write', half_written)
        with pytest.raises(UserError, match=r'No space left on device.*free space') as caught:
            execute(config)
    assert '\n' not in str(caught.value)
    assert [path.name for path in checkpoints.checkpoints(tmp_path / 'run')] == ['step_00000001']
    assert not list((tmp_path / 'run').glob('.partial*'))
    execute(config)
    execute(replace(config, out=str(tmp_path / 'whole')))
    assert losses(tmp_path / 'run') == losses(tmp_path / 'whole')


def test_a_half_written_checkpoint_is_never_picked_up(tmp_path: Path) -> None:
    for name in ('.partial-step_00000009', 'step_00000008'):
        (tmp_path / name).mkdir()
        (tmp_path / name / '__0_0.distcp').write_bytes(b'half')
    assert checkpoints.checkpoints(tmp_path) == []


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    execute(run_config(tmp_path, steps=4, keep_checkpoints=2))
    steps = [checkpoints.steps_of(path) for path in checkpoints.checkpoints(tmp_path)]
    assert steps == [3, 4]


def test_a_run_does_not_go_on_in_the_folder_of_another(tmp_path: Path) -> None:
    execute(run_config(tmp_path, steps=1))
    with pytest.raises(UserError, match='another configuration'):
        execute(run_config(tmp_path, recipe='naive_joint', steps=2))


def test_every_window_comes_once_an_epoch_in_an_order_of_its_own() -> None:
    epochs = [[order(e * 7 + i, 7, seed=3) for i in range(7)] for e in range(3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize(
    ('override', 'message'),
    [
        ('loop.step=3', "did you mean 'steps'"),
        ('optimizer.lr=1', "did you mean 'optimiser'"),
        ('loop.steps=0', 'loop.steps 0 must be at least 1'),
        ('loop.steps=many', 'loop'),
        ('loop.dtype=fp16', 'bf16'),
        ('optimiser.lr=.nan', 'lr nan'),
        ('recipe.name=flashwam', "did you mean 'flash_wam'"),
        ('data.windows.frame=2', "did you mean 'frames'"),
        ('loop', 'not key=value'),
        ('start.preset=liber0', "did you mean 'libero'"),
        ('start.checkpoint=/nowhere', 'nowhere'),
        ('start.student=/nowhere', 'give start.checkpoint'),
        ('data.dataset=/nowhere', 'nowhere'),
        ('data.keyframes.datasets=[/nowhere]', 'start.checkpoint; make one'),
    ],
)
def test_a_wrong_setting_is_one_line_with_its_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], override: str, message: str
) -> None:
    path = tmp_path / 'config.yaml'
    path.write_text(run_config(tmp_path / 'run', steps=1).to_yaml())
    assert main(['distill', str(path), override]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert '\n' not in error
