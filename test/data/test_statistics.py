"""Statistics are numpy's over the whole dataset, and fit the model's configuration."""

import numpy as np
import pytest
from sample_data import make_dataset, numbers, open_writer

from flash_wam_ros.core import UserError
from flash_wam_ros.data.lerobot import open_dataset, vector
from flash_wam_ros.data.spaces import EndEffectorSpace, JointSpace
from flash_wam_ros.data.statistics import action_statistics, read_statistics
from flash_wam_ros.wam.action_presets import ACTIONS
from flash_wam_ros.wam.actions import ActionLayout


@pytest.fixture(scope='module')
def reader(tmp_path_factory):
    return open_dataset(make_dataset(tmp_path_factory.mktemp('data') / 'set', episodes=7))


def whole(feature='action'):
    return np.concatenate([numbers(e, 9 + e)[feature] for e in range(7)]).astype(np.float64)


def test_every_statistic_is_that_of_the_whole(reader):
    calls = []
    found = action_statistics(reader, 'action', JointSpace(), lambda *done: calls.append(done))
    truth = whole()
    assert found.count == len(truth)
    for name, expected in {
        'min': truth.min(axis=0),
        'max': truth.max(axis=0),
        'mean': truth.mean(axis=0),
        'std': truth.std(axis=0),
        'q01': np.quantile(truth, 0.01, axis=0),
        'q50': np.quantile(truth, 0.5, axis=0),
        'q99': np.quantile(truth, 0.99, axis=0),
    }.items():
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-12, atol=1e-12)
    assert found.names == ('joint_0', 'joint_1', 'joint_2', 'joint_3')
    assert calls[-1] == (21, 21)


def test_statistics_come_back_from_disk(reader, tmp_path):
    found = action_statistics(reader, 'action.expert', JointSpace())
    found.write(tmp_path / 'statistics.json')
    assert read_statistics(tmp_path / 'statistics.json') == found
    (tmp_path / 'statistics.json').write_text('{"feature": "action"}')
    with pytest.raises(UserError, match='no action statistics'):
        read_statistics(tmp_path / 'statistics.json')


def test_the_models_normalisation_maps_the_quantiles_to_plus_and_minus_one(reader):
    found = action_statistics(reader, 'action', JointSpace())
    config = found.action_config([14, 15, 21, 28])
    assert config.channels == 30
    assert config.q99[15] == found.q99[1]
    assert config.q01[0] == config.q99[0] == 0
    layout = ActionLayout(config)
    import torch

    both = torch.tensor([found.q01, found.q99]).T[:, :, None].float()
    normalised = layout.normalise(both)[list(config.used), :, 0]
    np.testing.assert_allclose(normalised, [[-1, 1]] * 4, atol=1e-5)


def test_the_g1_preset_takes_sixteen_channels(reader):
    with pytest.raises(UserError, match='16 action channels with 4'):
        action_statistics(reader, 'action', JointSpace()).action_config(ACTIONS['g1'].used)


def test_quaternions_keep_their_range_and_grippers_their_quantiles(tmp_path):
    names = tuple(f'c{i}' for i in range(16))
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 16)).astype(np.float32)
    with (
        open_writer(
            tmp_path / 'set', features={'action': vector(*names)}, episode_fields={}
        ) as writer,
        writer.episode('go') as episode,
    ):
        for row in rows:
            episode.add({'action': row}, {})
    space = EndEffectorSpace(origin='first_action')
    found = action_statistics(open_dataset(tmp_path / 'set'), 'action', space)
    assert found.space == 'end_effector'
    assert found.q01[3:7] == found.q01[11:15] == (-1, -1, -1, -1)
    assert found.q99[3:7] == found.q99[11:15] == (1, 1, 1, 1)
    np.testing.assert_allclose(found.q99[7], np.quantile(rows[:, 7].astype(float), 0.99))


def test_an_empty_dataset_and_an_unknown_feature_are_named(reader, tmp_path):
    with pytest.raises(UserError, match="did you mean 'action'"):
        action_statistics(reader, 'acton', JointSpace())
    with open_writer(tmp_path / 'set'):
        pass
    with pytest.raises(UserError, match='no episodes'):
        action_statistics(open_dataset(tmp_path / 'set'), 'action', JointSpace())
