"""What the tests of the way from demonstrations to a model begin with."""

from pathlib import Path

import pytest

from flash_wam_ros.cli.main import main
from flash_wam_ros.collect.collection import CollectionConfig, collect


@pytest.fixture(scope='session')
def dataset(tmp_path_factory) -> Path:
    """Return two demonstrations, one to the left and one to the right if chance will."""
    folder = tmp_path_factory.mktemp('data') / 'around_the_post'
    collect(CollectionConfig(task='around_the_post'), folder, 2, 1, lambda done, failed: None)
    return folder


@pytest.fixture(scope='session')
def base(dataset) -> Path:
    """Return the untrained model of the demonstrations."""
    folder = dataset.parent / 'base'
    assert main(['train', 'base', str(dataset), '--out', str(folder), '--frames', '50']) == 0
    return folder
