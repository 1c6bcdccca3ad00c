"""Looking is learned before acting: places in windows, a probe, and eyes that stay."""

import json
from pathlib import Path

import mink
import numpy as np
import pytest
import torch

from flash_wam_ros.cli.main import main
from flash_wam_ros.core import UserError
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.data.places import read_places
from flash_wam_ros.distill.train.config import from_tables, overridden, read_tables
from flash_wam_ros.wam.pipeline import load_pipeline

pytestmark = pytest.mark.slow
CONFIG = Path('config/train/g1_tiny_look.yaml')


def test_places_are_told_from_the_pelvis_and_from_both_hands(dataset) -> None:
    reader = open_dataset(dataset)
    names = ['observation.privileged.ball', 'observation.privileged.post']
    vectors = reader.arrays(0, [*names, 'observation.end_effector']).vectors
    places = read_places(reader, 0).reshape(-1, 3, 3, 3)
    assert np.isnan(places[:, 2]).all()  # there is no third object
    for index, name in enumerate(names):
        position = vectors[name][:, :3]
        np.testing.assert_array_equal(places[:, index, 0], position)
        for frame, first in ((1, 0), (2, 8)):
            for at in (0, len(position) // 2, -1):
                hand = vectors['observation.end_effector'][at, first : first + 7].astype(float)
                turned = mink.SO3(hand[3:]).apply(places[at, index, frame].astype(float))
                np.testing.assert_allclose(turned + hand[:3], position[at], atol=1e-5)


def test_a_dataset_without_places_is_refused(dataset) -> None:
    class Blind:
        root = dataset
        info = type('Info', (), {'features': {'observation.end_effector': None}})

    with pytest.raises(UserError, match='poses of 0 objects'):
        read_places(Blind(), 0)


def test_looking_is_learned_and_nothing_else_changes(dataset, base) -> None:
    out = dataset.parent / 'look'
    words = ['train', str(CONFIG), f'out={out}', f'start.checkpoint={base}']
    words += [f'data.keyframes.datasets=[{dataset}]', 'loop.steps=80', 'loop.micro_batch=4']
    assert main([*words, 'optimiser.lr=4.0e-3', 'look.ema_decay=0.5']) == 0
    lines = [json.loads(line) for line in (out / 'losses.jsonl').read_text().splitlines()]
    errors = [line['loss/online/first_object_m'] for line in lines]
    assert np.mean(errors[-5:]) < np.mean(errors[:5]) / 2
    before, after = load_pipeline(base), load_pipeline(out / 'model')
    old, new = before.transformer.state_dict(), after.transformer.state_dict()
    assert old.keys() == new.keys()
    changed = {name.split('.')[0] for name in old if not torch.equal(old[name], new[name])}
    assert changed == {'context'}
    assert before.config == after.config


@pytest.mark.parametrize('dtype', ['fp32', 'bf16'])
def test_a_teacher_goes_on_looking_while_it_learns_to_act(dataset, base, dtype) -> None:
    out = dataset.parent / f'teacher_{dtype}'
    words = ['train', 'config/train/g1_tiny_teacher.yaml', f'out={out}']
    words += [f'start.checkpoint={base}', f'data.keyframes.datasets=[{dataset}]']
    words += ['data.keyframes.places=true', 'teacher.look=1.0', f'loop.dtype={dtype}']
    words += ['loop.steps=3', 'loop.micro_batch=2', 'loop.export_every=0', 'loop.picture_every=0']
    assert main(words) == 0
    lines = [json.loads(line) for line in (out / 'losses.jsonl').read_text().splitlines()]
    for line in lines:
        parts = [line[f'loss/online/{name}'] for name in ('video', 'action', 'look')]
        assert line['loss/online/total'] == pytest.approx(sum(parts), rel=1e-3)
    after = load_pipeline(out / 'model')
    assert after.transformer.state_dict().keys() == (
        load_pipeline(base).transformer.state_dict().keys()
    )


def test_a_teacher_that_looks_needs_to_be_told_the_places(dataset, base, capsys) -> None:
    words = ['train', 'config/train/g1_tiny_teacher.yaml', f'out={dataset.parent / "untold"}']
    words += [f'start.checkpoint={base}', f'data.keyframes.datasets=[{dataset}]']
    assert main([*words, 'teacher.look=1.0', 'loop.steps=1', 'loop.micro_batch=2']) == 2
    assert 'data.keyframes.places=true' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        ('loop.error_steps=8', 'imagines nothing'),
        ('loop.picture_every=5', 'imagines nothing'),
        ('loop.dtype=bf16', 'runs in fp32'),
        ('look.ema_decay=1.0', 'must be in'),
        ('teacher.ema_decay=0.9', 'one section'),
    ],
)
def test_a_run_of_looking_that_makes_no_sense_is_refused(change, words) -> None:
    with pytest.raises(UserError, match=words):
        from_tables(overridden(read_tables(CONFIG), [change]))


def test_windows_that_name_no_places_are_refused(dataset, base, capsys) -> None:
    words = ['train', str(CONFIG), f'out={dataset.parent / "blind"}', f'start.checkpoint={base}']
    words += [f'data.keyframes.datasets=[{dataset}]', 'data.keyframes.places=false']
    assert main([*words, 'loop.steps=1']) == 2
    assert 'data.keyframes.places=true' in capsys.readouterr().err
