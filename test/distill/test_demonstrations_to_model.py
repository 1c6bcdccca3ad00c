"""From the simulator's own demonstrations to a student that acts: every command in its turn."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from waiting import wait_for

from flash_wam_ros.cli.main import main
from flash_wam_ros.cli.train_base import fitted_codec
from flash_wam_ros.core import Observation, UserError
from flash_wam_ros.data.chunk_statistics import with_statistics
from flash_wam_ros.data.keyframe_windows import KeyframeSpec, read_numbers
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.distill.sight import places
from flash_wam_ros.policy.protocol import SentCommands
from flash_wam_ros.policy.registry import make_policy
from flash_wam_ros.robots.g1_layout import POLICY, STATE
from flash_wam_ros.wam.light_text import MiniLmText
from flash_wam_ros.wam.pipeline import load_pipeline, save_pipeline
from flash_wam_ros.wam.presets import preset
from flash_wam_ros.wam.transformer import WorldActionTransformer

pytestmark = pytest.mark.slow
CONFIG = Path('config/train')
QUICK = ('loop.micro_batch=2', 'loop.export_every=0', 'loop.picture_every=0')


def test_statistics_of_the_first_episodes_are_theirs_alone(dataset) -> None:
    spec, config = KeyframeSpec(datasets=(str(dataset),)), preset('g1-tiny')
    first, both = with_statistics(config, spec, 1), with_statistics(config, spec)
    state = read_numbers(open_dataset(dataset), spec, 0).state
    np.testing.assert_allclose(first.state.mean, state.mean(0), atol=1e-5)
    assert first.state != both.state
    assert first.actions != both.actions


def teacher_words(out: Path, base: Path, dataset: Path, steps: int) -> list[str]:
    return [
        *('train', str(CONFIG / 'g1_tiny_teacher.yaml'), f'out={out}', f'start.checkpoint={base}'),
        *(f'data.keyframes.datasets=[{dataset}]', f'loop.steps={steps}', *QUICK),
    ]


def losses(run: Path) -> dict[int, float]:
    lines = (run / 'losses.jsonl').read_text().splitlines()
    return {entry['step']: entry['loss/online/total'] for entry in map(json.loads, lines)}


@pytest.fixture(scope='module')
def teacher(dataset, base) -> Path:
    """Return a teacher of a few steps."""
    out = dataset.parent / 'teacher'
    assert main(teacher_words(out, base, dataset, 4)) == 0
    return out


def test_a_killed_training_goes_on_with_the_same_losses(dataset, base, teacher) -> None:
    out = dataset.parent / 'killed'
    words = [*teacher_words(out, base, dataset, 4), 'loop.checkpoint_every=1']
    process = subprocess.Popen(
        [sys.executable, '-m', 'flash_wam_ros.cli.main', *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )
    try:
        wait_for(lambda: list(out.glob('step_*')), 'a checkpoint', 120.0)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert main(words) == 0
    resumed = losses(out)
    assert resumed == pytest.approx(losses(teacher), rel=1e-4)


@pytest.mark.parametrize('recipe', ['flash_wam', 'endpoint'])
def test_a_student_of_a_few_steps_acts_on_what_the_robot_sees(dataset, teacher, recipe) -> None:
    out = dataset.parent / recipe
    words = [
        *('distill', str(CONFIG / f'g1_tiny_{recipe}.yaml'), f'out={out}'),
        *(f'start.checkpoint={teacher / "model"}', f'data.keyframes.datasets=[{dataset}]'),
        *('loop.steps=2', *QUICK),
    ]
    assert main(words) == 0
    policy = make_policy('wam', task='around_the_post', model=str(out / 'model'))
    assert policy.cameras == ('head', 'left_wrist', 'right_wrist')
    policy.reset('reach the ball', seed=3)
    still = np.zeros(len(STATE))
    reader = open_dataset(dataset)
    images = {c: reader.images(0, f'observation.images.{c}', [0])[0] for c in policy.cameras}
    look = Observation(stamp_ns=0, images=images, layout=STATE, q=still, dq=still)
    nothing = SentCommands(stamps_ns=np.empty(0, np.int64), q=np.empty((0, len(POLICY))))
    output = policy.step([look], nothing)
    assert output.metrics['passes'] == 3  # one of the video, two of the actions
    assert output.chunk.q.shape == (4, len(POLICY))
    assert np.isfinite(output.chunk.q).all()


def test_a_model_may_be_told_where_the_objects_are(dataset) -> None:
    """In a simulator, for trials without eyes: each object counts, and none may be missing."""
    folder = dataset.parent / 'told'
    words = ['train', 'base', str(dataset), '--preset', 'g1-micro', '--objects']
    assert main([*words, '--out', str(folder), '--frames', '50']) == 0
    policy = make_policy('wam', task='around_the_post', model=str(folder))
    assert policy.privileged
    reader = open_dataset(dataset)
    names = ('observation.privileged.ball', 'observation.privileged.post')
    vectors = reader.arrays(0, list(names)).vectors
    poses = {name.rpartition('.')[2]: vectors[name][0].astype(float) for name in names}
    still, image = np.zeros(len(STATE)), reader.images(0, 'observation.images.head', [0])[0]
    nothing = SentCommands(stamps_ns=np.empty(0, np.int64), q=np.empty((0, len(POLICY))))

    def acted(told):
        policy.reset('reach the ball', seed=3)
        look = Observation(
            stamp_ns=0, images={'head': image}, layout=STATE, q=still, dq=still, privileged=told
        )
        return policy.step([look], nothing).chunk.q

    for name in poses:
        moved = {**poses, name: poses[name] + 0.05}
        assert np.abs(acted(moved) - acted(poses)).max() > 1e-4
    with pytest.raises(UserError, match='post'):
        acted({'ball': poses['ball']})


def test_what_a_model_sees_is_measured_on_demonstrations(dataset, base, tmp_path) -> None:
    out = tmp_path / 'sight.json'
    words = ['bench', 'sight', '--model', str(base), '--dataset', str(dataset)]
    words += ['--held-out', str(dataset), '--frames', '40', '--json', str(out)]
    assert main(words) == 0
    seen = json.loads(out.read_text())
    assert seen['colours']['kept'] > 0.8
    found = {place['name']: place for place in seen['places']}
    assert found.keys() == {'ball', 'post'}
    # Judged on what it was fitted to, even the probe of an untrained network knows the places.
    assert all(place['error_m'] < place['spread_m'] / 2 for place in found.values())


def test_a_model_without_context_has_nothing_to_probe(dataset, base) -> None:
    pipeline = load_pipeline(base)
    plain = WorldActionTransformer(replace(pipeline.config.model, context=None))
    reader = open_dataset(dataset)
    with pytest.raises(UserError, match='no observation context'):
        places(reader, reader, replace(pipeline, transformer=plain), 10)


def test_windows_of_the_latent_cache_train_too(dataset, base) -> None:
    """The published form: latents cached at one phase, absolute joints, no context."""
    folder = dataset.parent / 'plain'
    config = preset('g1', 'tiny')
    config = replace(
        config,
        model=replace(config.model, patch_size=(1, 4, 4)),
        canvas=replace(preset('g1-micro').canvas, height=128, width=128),
        chunk=preset('g1-tiny').chunk,
    )
    codec = fitted_codec([open_dataset(dataset)], config, 50, 0)
    torch.manual_seed(0)
    network = WorldActionTransformer(config.model)
    save_pipeline(folder, config, network, codec=codec, text=MiniLmText())
    # The codec names its camera as the robot does, the dataset with LeRobot's prefix.
    encode = [
        *('data', 'encode', str(dataset), '--codec', str(base / 'vae'), '--text', 'minilm'),
        *('--camera', 'observation.images.head'),
    ]
    assert main(encode) == 0
    words = [
        *('train', str(CONFIG / 'teacher.yaml'), f'out={dataset.parent / "published"}'),
        *(f'start.checkpoint={folder}', 'start.preset=', f'data.dataset={dataset}'),
        *('data.windows.frames=4', 'data.windows.feature=action.expert'),
        *('data.windows.executed_feature=action.executed', 'loop.steps=2', 'loop.dtype=fp32'),
        *('loop.micro_batches=2', 'loop.picture_every=0'),
    ]
    assert main(words) == 0
    assert all(np.isfinite(value) for value in losses(dataset.parent / 'published').values())
