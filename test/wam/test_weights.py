"""The laws of weight folders: bits survive, folders are whole or absent, damage is named."""

import json
import math

import pytest
import torch
from torch import nn

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.weights import (
    assign_weights,
    read_shapes,
    read_weights,
    replaced_folder,
    write_folder,
    write_weights,
)

STEM = 'model'


def some_weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        'a.weight': torch.randn(5, 7, generator=generator),
        'a.bias': torch.randn(5, generator=generator).to(torch.bfloat16),
        'b': torch.randn(3, 4, generator=generator).to(torch.float16).T,
        'count': torch.tensor(3),
    }


def same_bits(one, two):
    return one.keys() == two.keys() and all(
        one[key].dtype == two[key].dtype
        and one[key].shape == two[key].shape
        and torch.equal(
            one[key].contiguous().view(-1).view(torch.uint8),
            two[key].contiguous().view(-1).view(torch.uint8),
        )
        for key in one
    )


@pytest.mark.parametrize('shard_bytes', [1, 60, 10**9])
def test_weights_come_back_bit_for_bit_whole_or_sharded(tmp_path, shard_bytes):
    weights = some_weights()
    write_folder(tmp_path / 'x', STEM, weights, {}, shard_bytes=shard_bytes)
    assert same_bits(read_weights(tmp_path / 'x', STEM), weights)
    shapes = read_shapes(tmp_path / 'x', STEM)
    assert shapes['a.bias'] == ((5,), 'BF16')
    assert {key: shape for key, (shape, _) in shapes.items()} == {
        key: tuple(value.shape) for key, value in weights.items()
    }


def test_shards_are_named_and_indexed_as_diffusers_does(tmp_path):
    write_weights(tmp_path, 'diffusion_pytorch_model', some_weights(), shard_bytes=145)
    names = sorted(path.name for path in tmp_path.glob('*.safetensors'))
    assert names[0] == f'diffusion_pytorch_model-00001-of-{len(names):05d}.safetensors'
    index = json.loads((tmp_path / 'diffusion_pytorch_model.safetensors.index.json').read_text())
    assert index['metadata']['total_size'] == sum(w.nbytes for w in some_weights().values())
    assert sorted(set(index['weight_map'].values())) == names


def test_a_tensor_that_is_read_shares_the_memory_of_its_file(tmp_path):
    write_folder(tmp_path / 'x', STEM, {'w': torch.zeros(1 << 20)}, {})
    mapped = (tmp_path / 'x' / 'model.safetensors').resolve()
    weights = read_weights(tmp_path / 'x', STEM)
    address = weights['w'].data_ptr()
    with open('/proc/self/maps') as maps:
        spans = [line.split()[0].split('-') for line in maps if str(mapped) in line]
    assert any(int(low, 16) <= address < int(high, 16) for low, high in spans)


def test_a_folder_that_fails_to_be_written_leaves_nothing_behind(tmp_path):
    def write_half():
        with replaced_folder(tmp_path / 'x') as new:
            (new / 'half').write_text('written')
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert list(tmp_path.iterdir()) == []


def test_a_replacement_that_fails_leaves_the_old_folder(tmp_path):
    write_folder(tmp_path / 'x', STEM, some_weights(), {'old': True})
    with pytest.raises(RuntimeError), replaced_folder(tmp_path / 'x', overwrite=True):
        raise RuntimeError
    assert same_bits(read_weights(tmp_path / 'x', STEM), some_weights())
    assert [path.name for path in tmp_path.iterdir()] == ['x']


def test_a_replacement_is_seen_as_a_whole(tmp_path):
    write_folder(tmp_path / 'x', STEM, some_weights(), {}, shard_bytes=1)
    before = read_weights(tmp_path / 'x', STEM)
    write_folder(tmp_path / 'x', STEM, some_weights(seed=1), {}, overwrite=True)
    assert same_bits(read_weights(tmp_path / 'x', STEM), some_weights(seed=1))
    assert same_bits(before, some_weights()), 'tensors that were read keep their file'
    assert sorted(path.name for path in (tmp_path / 'x').iterdir()) == [
        'config.json',
        'model.safetensors',
    ]


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(UserError, match='holds neither'):
        read_weights(tmp_path, STEM)


def test_a_missing_shard_is_named(tmp_path):
    write_weights(tmp_path, STEM, some_weights(), shard_bytes=1)
    (tmp_path / 'model-00002-of-00004.safetensors').unlink()
    with pytest.raises(UserError, match=r'1 are missing \(model-00002-of-00004'):
        read_weights(tmp_path, STEM)


def test_a_shard_that_holds_something_else_than_the_index_says_is_named(tmp_path):
    write_weights(tmp_path, STEM, some_weights(), shard_bytes=1)
    first, second = (tmp_path / f'model-0000{n}-of-00004.safetensors' for n in (1, 2))
    first.write_bytes(second.read_bytes())
    with pytest.raises(UserError, match=r'lacks a\.weight, has besides a\.bias'):
        read_weights(tmp_path, STEM)


@pytest.mark.parametrize('kept', [0, 4, 200])
def test_a_truncated_file_is_named(tmp_path, kept):
    write_weights(tmp_path, STEM, some_weights())
    path = tmp_path / 'model.safetensors'
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match='cannot be read'):
        read_weights(tmp_path, STEM)


@pytest.mark.parametrize(
    ('text', 'line'), [('{', 'cannot be read as JSON'), ('[]', 'expected an object')]
)
def test_a_damaged_index_is_named(tmp_path, text, line):
    write_weights(tmp_path, STEM, some_weights(), shard_bytes=1)
    (tmp_path / 'model.safetensors.index.json').write_text(text)
    with pytest.raises(UserError, match=line):
        read_weights(tmp_path, STEM)


def blank_linear():
    with torch.device('meta'):
        return nn.Linear(3, 2)


def test_weights_are_assigned_without_a_copy_and_in_their_own_type():
    weights = {'weight': torch.ones(2, 3, dtype=torch.bfloat16), 'bias': torch.zeros(2)}
    module = blank_linear()
    assign_weights(module, weights, what='test')
    assert module.weight.data_ptr() == weights['weight'].data_ptr()
    assert (module.weight.dtype, module.bias.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize(
    ('weights', 'line'),
    [
        ({'weight': torch.ones(2, 3)}, r'1 keys missing \(bias\), 0 unexpected'),
        (
            {'weight': torch.ones(2, 3), 'bias': torch.ones(2), 'scale': torch.ones(2)},
            r'0 keys missing \(none\), 1 unexpected \(scale\)',
        ),
        (
            {'weight': torch.ones(3, 2), 'bias': torch.ones(2)},
            r'weight has shape \(3, 2\), expected \(2, 3\)',
        ),
        (
            {'weight': torch.ones(2, 3), 'bias': torch.tensor([1.0, math.nan])},
            'bias holds 1 of 2 numbers that are not finite',
        ),
        (
            {'weight': torch.full((2, 3), -math.inf, dtype=torch.bfloat16), 'bias': torch.ones(2)},
            'weight holds 6 of 6',
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, line):
    with pytest.raises(UserError, match=line):
        assign_weights(blank_linear(), weights, what='test')
