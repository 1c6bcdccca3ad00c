"""``flash-wam verify`` tells right from wrong, says what it found, and never shows a traceback."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from flash_wam_ros.cli.main import main
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.checkpoint import expected_shapes, save_transformer
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig
from flash_wam_ros.wam.light_text import MiniLmText
from flash_wam_ros.wam.pipeline import save_pipeline
from flash_wam_ros.wam.presets import SIZES, preset
from flash_wam_ros.wam.transformer import WorldActionTransformer
from flash_wam_ros.wam.weights import read_weights, write_weights

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden'


@pytest.fixture
def golden(tmp_path):
    """A copy of the recordings that a test may damage."""
    return Path(shutil.copytree(GOLDEN, tmp_path / 'golden'))


def verify(*words):
    return main(['verify', *(str(word) for word in words)])


def keep(folder, *names):
    for path in folder.iterdir():
        if path.name not in names:
            path.unlink()


def perturb(path, tensor, by):
    record = load_file(path)
    record[tensor] = record[tensor] + by
    save_file(record, path)


@pytest.mark.slow
def test_all_recorded_cases_pass_and_each_has_its_line(capsys, tmp_path):
    assert verify('--golden', GOLDEN, '--json', tmp_path / 'found.json') == 0
    lines = capsys.readouterr().out.splitlines()
    recorded = [path for path in GOLDEN.glob('*.safetensors') if not path.stem.startswith('tiny')]
    rollouts = [path for path in recorded if path.stem.startswith('infer')]
    assert len(lines) == len(recorded) + len(rollouts) + 1, 'rollouts run in two plans'
    assert all(line.startswith('pass') for line in lines[:-1])
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found['passed']
    assert all(case['max_error'] <= case['tolerance'] == 1e-4 for case in found['cases'])


STREAM = ('tiny_vae_config.json', 'tiny_vae_encoder.safetensors', 'vae_stream_fp32.safetensors')


def test_a_folder_may_hold_one_case_alone(golden, capsys):
    keep(golden, *STREAM)
    assert verify('--golden', golden) == 0
    assert capsys.readouterr().out.splitlines()[-1] == '1 of 1 cases pass'


@pytest.mark.parametrize('by', [2e-4, float('nan')])
def test_a_number_above_its_tolerance_fails_its_case_alone(golden, capsys, tmp_path, by):
    keep(golden, *STREAM, 'units.safetensors', 'tiny_config.json', 'tiny_state_dict.safetensors')
    perturb(golden / 'vae_stream_fp32.safetensors', 'out.full_params', by)
    assert verify('--golden', golden, '--json', tmp_path / 'found.json') == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('pass')
    assert lines[1].startswith('FAIL')
    assert 'worst out.full_params' in lines[1]
    found = json.loads((tmp_path / 'found.json').read_text())
    assert [case['passed'] for case in found['cases']] == [True, False]


def test_a_longer_stream_of_two_cameras_is_repeated_too(golden, capsys):
    keep(golden, *STREAM)
    config = json.loads((golden / STREAM[0]).read_text())
    from diffusers import AutoencoderKLWan

    vae = AutoencoderKLWan.from_config(config)
    vae.load_state_dict(load_file(golden / STREAM[1]), strict=False)
    torch.manual_seed(0)
    video = torch.rand(2, 3, 29, 32, 48) * 2 - 1
    with torch.no_grad():
        params = vae.eval().encode(video).latent_dist.parameters
    record = {'in.video': video, 'out.full_params': params}
    save_file(record, golden / 'vae_stream_long_fp32.safetensors')
    assert verify('--golden', golden) == 0
    assert '2 of 2 cases pass' in capsys.readouterr().out


def remove(folder, name):
    (folder / name).unlink()


def truncate(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize('damage', [remove, truncate])
@pytest.mark.parametrize('name', STREAM[:2])
def test_a_damaged_recording_is_bad_input_in_one_line(golden, capsys, damage, name):
    keep(golden, *STREAM)
    damage(golden, name)
    assert verify('--golden', golden) == 2
    error = capsys.readouterr().err
    assert error.startswith('flash-wam: ')
    assert error.count('\n') == 1
    assert name in error


def test_a_folder_without_cases_and_a_missing_folder_are_bad_input(tmp_path, capsys):
    assert verify('--golden', tmp_path) == 2
    assert 'holds no recorded case' in capsys.readouterr().err
    assert verify('--golden', tmp_path / 'nowhere') == 2
    assert 'is no folder' in capsys.readouterr().err


CANVAS = CanvasConfig(layout='single', cameras=('head',), height=32, width=32, spatial_factor=8)


@pytest.fixture
def model_folder(tmp_path):
    """A small model with light codec and text encoder, as this package writes it."""
    torch.manual_seed(0)
    network = replace(SIZES['micro'], text_dim=384)
    config = replace(preset('g1', 'micro'), model=network, canvas=CANVAS)
    frames = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    codec = LightCodec.fit({'head': frames}, LightCodecConfig(components=network.in_channels))
    transformer = WorldActionTransformer(network).to(torch.bfloat16)
    save_pipeline(tmp_path / 'model', config, transformer, codec=codec, text=MiniLmText(length=8))
    return tmp_path / 'model'


def test_a_checkpoint_is_described_and_runs_one_chunk(model_folder, capsys, tmp_path):
    assert verify('--checkpoint', model_folder, '--json', tmp_path / 'found.json') == 0
    out = capsys.readouterr().out
    tensors = len(expected_shapes(SIZES['micro']))
    for words in (
        f'({tensors} BF16)',
        'LightCodec',
        'MiniLmText',
        'wam.json',
        'single of head',
        'finite',
    ):
        assert words in out
    found = json.loads((tmp_path / 'found.json').read_text())
    assert found['chunk']['passes'] == 2
    assert found['chunk']['actions_shape'] == [16, 2, 16]
    assert found['num_keys'] == tensors


def published_form(folder):
    """Write a folder as published: training attention, dead tensors, no wam.json."""
    folder.mkdir()
    save_transformer(folder / 'transformer', WorldActionTransformer(SIZES['micro']))
    path = folder / 'transformer' / 'config.json'
    path.write_text(json.dumps({**json.loads(path.read_text()), 'attn_mode': 'flex'}))
    stem = 'diffusion_pytorch_model'
    weights = read_weights(folder / 'transformer', stem)
    weights |= {'patch_embedding.weight': torch.ones(1), 'patch_embedding.bias': torch.ones(2)}
    write_weights(folder / 'transformer', stem, {key: w.clone() for key, w in weights.items()})
    return folder


def test_a_published_network_is_verified_as_it_is(tmp_path, capsys):
    assert verify('--checkpoint', published_form(tmp_path / 'model'), '--preset', 'libero') == 0
    out = capsys.readouterr().out
    assert 'unused tensors dropped: patch_embedding.weight, patch_embedding.bias' in out
    assert "attn_mode 'flex' is replaced by 'torch'" in out
    assert 'preset libero' in out
    assert 'random latents' in out
    assert 'actions (7, 4, 4)' in out


def test_the_type_to_run_in_can_be_chosen(model_folder, capsys):
    assert verify('--checkpoint', model_folder, '--dtype', 'fp32') == 0
    assert 'torch.float32' in capsys.readouterr().out


def poison(folder):
    stem = 'diffusion_pytorch_model'
    weights = {k: v.clone() for k, v in read_weights(folder / 'transformer', stem).items()}
    weights['proj_out.bias'][0] = float('nan')
    write_weights(folder / 'transformer', stem, weights)


def lose_weights(folder):
    (folder / 'transformer' / 'diffusion_pytorch_model.safetensors').unlink()


def lose_transformer(folder):
    shutil.rmtree(folder / 'transformer')


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (poison, 'proj_out.bias holds 1 of'),
        (lose_weights, 'holds neither'),
        (lose_transformer, 'config.json is missing'),
    ],
)
def test_a_damaged_checkpoint_is_bad_input_in_one_line(model_folder, capsys, damage, words):
    damage(model_folder)
    assert verify('--checkpoint', model_folder) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count('\n') == 1


def test_a_device_that_is_not_there_is_bad_input(model_folder, capsys):
    assert verify('--checkpoint', model_folder, '--device', 'warp') == 2
    assert 'try cpu' in capsys.readouterr().err
