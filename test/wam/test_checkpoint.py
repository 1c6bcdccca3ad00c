"""The network on disk: the published structure, bits that survive, every kind of damage named."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.checkpoint import (
    DEAD_KEYS,
    expected_shapes,
    inspect_transformer,
    load_transformer,
    save_transformer,
)
from flash_wam_ros.wam.config import ModelConfig
from flash_wam_ros.wam.presets import SIZES
from flash_wam_ros.wam.transformer import WorldActionTransformer
from flash_wam_ros.wam.weights import read_weights, write_weights

STEM = 'diffusion_pytorch_model'
D, FFN, LAYERS = 3072, 14336, 30
PUBLISHED_CONFIG = {
    '_class_name': 'WanTransformer3DModel',
    '_diffusers_version': '0.36.0',
    'num_layers': LAYERS,
    'num_attention_heads': 24,
    'attention_head_dim': 128,
    'ffn_dim': FFN,
    'freq_dim': 256,
    'text_dim': 4096,
    'patch_size': [1, 2, 2],
    'in_channels': 48,
    'out_channels': 48,
    'action_dim': 30,
    'cross_attn_norm': True,
    'eps': 1e-6,
    'rope_max_seq_len': 1024,
    'pos_embed_seq_len': None,
    'attn_mode': 'flex',
}


def linear(name, rows, columns):
    return {f'{name}.weight': (rows, columns), f'{name}.bias': (rows,)}


def published_shapes():
    """The 841 tensors of the published checkpoint, as its specification lists them."""
    shapes = {'scale_shift_table': (1, 2, D)}
    shapes |= linear('patch_embedding_mlp', D, 192) | linear('action_embedder', D, 30)
    shapes |= linear('proj_out', 192, D) | linear('action_proj_out', 30, D)
    for name in ('condition_embedder', 'condition_embedder_action'):
        shapes |= linear(f'{name}.time_embedder.linear_1', D, 256)
        shapes |= linear(f'{name}.time_embedder.linear_2', D, D)
        shapes |= linear(f'{name}.time_proj', 18432, D)
        shapes |= linear(f'{name}.text_embedder.linear_1', D, 4096)
        shapes |= linear(f'{name}.text_embedder.linear_2', D, D)
    for number in range(LAYERS):
        block = f'blocks.{number}'
        shapes |= {f'{block}.scale_shift_table': (1, 6, D)}
        for attention in (f'{block}.attn1', f'{block}.attn2'):
            for part in ('to_q', 'to_k', 'to_v', 'to_out.0'):
                shapes |= linear(f'{attention}.{part}', D, D)
            shapes |= {f'{attention}.norm_q.weight': (D,), f'{attention}.norm_k.weight': (D,)}
        shapes |= {f'{block}.norm2.weight': (D,), f'{block}.norm2.bias': (D,)}
        shapes |= linear(f'{block}.ffn.net.0.proj', FFN, D)
        shapes |= linear(f'{block}.ffn.net.2', D, FFN)
    return shapes | {'patch_embedding.weight': (D, 48, 1, 2, 2), 'patch_embedding.bias': (D,)}


def write_sparse(path, shapes):
    """Write a bf16 safetensors file whose data are a hole: true size, no disk space."""
    header, offset = {'__metadata__': {'format': 'pt'}}, 0
    for key, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        header[key] = {'dtype': 'BF16', 'shape': list(shape), 'data_offsets': [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with path.open('wb') as file:
        file.write(len(text).to_bytes(8, 'little') + text)
        file.truncate(8 + len(text) + offset)


@pytest.fixture(scope='module')
def full_size(tmp_path_factory):
    """The published checkpoint's structure: three shards of true size, all zeros."""
    folder = tmp_path_factory.mktemp('published') / 'transformer'
    folder.mkdir()
    (folder / 'config.json').write_text(json.dumps(PUBLISHED_CONFIG))
    shapes = sorted(published_shapes().items())
    weight_map = {}
    for number in range(3):
        name = f'{STEM}-{number + 1:05d}-of-00003.safetensors'
        part = dict(shapes[number::3])
        write_sparse(folder / name, part)
        weight_map |= dict.fromkeys(part, name)
    index = {'metadata': {'total_size': 10178931132}, 'weight_map': weight_map}
    (folder / f'{STEM}.safetensors.index.json').write_text(json.dumps(index))
    return folder


def test_the_network_has_the_names_and_shapes_of_the_published_one():
    live = {key: shape for key, shape in published_shapes().items() if key not in DEAD_KEYS}
    assert expected_shapes(ModelConfig()) == live
    assert len(live) == 839


def test_the_published_structure_is_accepted_and_counted(full_size):
    report = inspect_transformer(full_size, attn_mode='torch')
    assert report.num_keys == 841
    assert report.dead_keys == DEAD_KEYS
    assert report.num_parameters == 5_088_872_670
    assert report.dtypes == {'BF16': 841}
    assert report.stored_attn_mode == 'flex'
    assert report.config == ModelConfig()
    assert len(report.files) == 3
    assert report.num_bytes > 2 * 5_089_465_566


def test_training_attention_is_refused_unless_it_is_replaced(full_size):
    with pytest.raises(UserError, match="pass attn_mode='torch'"):
        inspect_transformer(full_size)
    with pytest.raises(UserError, match='unknown attn_mode'):
        inspect_transformer(full_size, attn_mode='flux')


def small_model(dtype=torch.float32):
    torch.manual_seed(0)
    return WorldActionTransformer(SIZES['micro']).to(dtype).eval()


@pytest.fixture
def folder(tmp_path):
    save_transformer(tmp_path / 'transformer', small_model())
    return tmp_path / 'transformer'


def edit_config(folder, **changes):
    path = folder / 'config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_weights(folder, edit):
    weights = {key: value.clone() for key, value in read_weights(folder, STEM).items()}
    edit(weights)
    write_weights(folder, STEM, weights)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
@pytest.mark.parametrize('shard_bytes', [50_000, 10**9])
def test_a_saved_network_loads_bit_for_bit(tmp_path, dtype, shard_bytes):
    model = small_model(dtype)
    save_transformer(tmp_path / 'transformer', model, shard_bytes=shard_bytes)
    loaded = load_transformer(tmp_path / 'transformer')
    assert loaded.config == model.config
    assert not loaded.training
    state, expected = loaded.state_dict(), model.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[key], expected[key]) for key in expected)
    assert {value.dtype for value in state.values()} == {dtype}


def test_weights_stay_in_mixed_types_and_follow_a_wanted_one(tmp_path):
    model = small_model(torch.bfloat16)
    model.scale_shift_table.data = model.scale_shift_table.data.float()
    save_transformer(tmp_path / 'transformer', model)
    report = inspect_transformer(tmp_path / 'transformer')
    assert report.dtypes == {'BF16': len(model.state_dict()) - 1, 'F32': 1}
    kept = load_transformer(tmp_path / 'transformer')
    assert kept.scale_shift_table.dtype == torch.float32
    assert kept.proj_out.weight.dtype == torch.bfloat16
    wanted = load_transformer(tmp_path / 'transformer', dtype=torch.float32)
    assert {value.dtype for value in wanted.state_dict().values()} == {torch.float32}


def test_an_average_is_saved_in_place_of_the_models_own_weights(tmp_path):
    model = small_model()
    average = {key: torch.zeros_like(value) for key, value in model.state_dict().items()}
    save_transformer(tmp_path / 'transformer', model, weights=average)
    loaded = load_transformer(tmp_path / 'transformer')
    assert all(not value.any() for value in loaded.state_dict().values())
    del average['proj_out.bias']
    with pytest.raises(UserError, match=r'1 keys missing \(proj_out\.bias\)'):
        save_transformer(tmp_path / 'other', model, weights=average)


def test_dead_tensors_are_dropped_and_named(folder):
    edit_weights(folder, lambda weights: weights.update({key: torch.ones(2) for key in DEAD_KEYS}))
    assert inspect_transformer(folder).dead_keys == DEAD_KEYS
    assert DEAD_KEYS[0] not in load_transformer(folder).state_dict()


def test_training_goes_on_from_a_loaded_network(folder):
    before = (folder / f'{STEM}.safetensors').read_bytes()
    model = load_transformer(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    assert (folder / f'{STEM}.safetensors').read_bytes() == before


@pytest.mark.parametrize(
    ('changes', 'line'),
    [
        ({'_class_name': 'UNet2DModel'}, "of class 'UNet2DModel', expected"),
        ({'attn_mode': 'flex'}, 'only training has'),
        ({'attn_mode': 'sparse'}, 'unknown attn_mode'),
        ({'num_layer': 3}, "did you mean 'num_layers'"),
        ({'num_layers': 3}, r'27 keys missing \(blocks\.2\.'),
        ({'num_layers': 1}, r'27 unexpected \(blocks\.1\.'),
        ({'ffn_dim': 95}, r'has shape \(96,'),
        ({'num_attention_heads': 0}, 'num_attention_heads is 0'),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(folder, changes, line):
    edit_config(folder, **changes)
    with pytest.raises(UserError, match=line):
        load_transformer(folder)


def drop_key(weights):
    del weights['proj_out.bias']


def add_key(weights):
    weights['adapter.weight'] = torch.ones(2)


def reshape(weights):
    weights['proj_out.weight'] = weights['proj_out.weight'].T.contiguous()


def poison(weights):
    weights['blocks.1.ffn.net.2.bias'][3] = math.nan


@pytest.mark.parametrize(
    ('edit', 'line'),
    [
        (drop_key, r'1 keys missing \(proj_out\.bias\)'),
        (add_key, r'1 unexpected \(adapter\.weight\)'),
        (reshape, r'proj_out\.weight has shape \(64, 24\), expected \(24, 64\)'),
        (poison, r'blocks\.1\.ffn\.net\.2\.bias holds 1 of 64 numbers that are not finite'),
    ],
)
def test_weights_that_do_not_fit_are_refused(folder, edit, line):
    edit_weights(folder, edit)
    with pytest.raises(UserError, match=line):
        load_transformer(folder)


def test_a_folder_without_configuration_is_named(tmp_path):
    with pytest.raises(UserError, match=r'config\.json is missing'):
        load_transformer(tmp_path)


MEASURE = """
import sys, torch
from pathlib import Path
from flash_wam_ros.wam.checkpoint import expected_shapes, load_transformer
from flash_wam_ros.wam.presets import SIZES

def peak_bytes():
    with open('/proc/self/status') as status:
        line = next(line for line in status if line.startswith('VmHWM'))
    return int(line.split()[1]) * 1024

torch.set_num_threads(1)
expected_shapes(SIZES['micro'])  # what PyTorch itself loads with its first meta module
before = peak_bytes()
model = load_transformer(Path(sys.argv[1]))
total = sum(float(value.float().sum()) for value in model.parameters())
print(peak_bytes() - before)
"""


@pytest.mark.slow
def test_loading_needs_about_the_memory_that_the_weights_have(tmp_path):
    config = replace(SIZES['micro'], num_layers=10, num_attention_heads=24, ffn_dim=3072)
    torch.manual_seed(0)
    model = WorldActionTransformer(config).to(torch.bfloat16)
    save_transformer(tmp_path / 'transformer', model, shard_bytes=50_000_000)
    size = inspect_transformer(tmp_path / 'transformer').num_bytes
    assert size > 150e6
    script = [sys.executable, '-c', MEASURE, str(tmp_path / 'transformer')]
    done = subprocess.run(script, capture_output=True, text=True, check=True, timeout=120)
    assert int(done.stdout) < 1.25 * size
