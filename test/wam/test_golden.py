"""The network gives the numbers of the published one, as recorded."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.golden import CaseResult, run_folder

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the recordings that a test may spoil."""
    return Path(shutil.copytree(GOLDEN, tmp_path / 'golden'))


def _results(folder: Path) -> dict[str, CaseResult]:
    return {result.case: result for result in run_folder(folder)}


def test_every_recorded_case_is_within_tolerance_in_both_plans() -> None:
    results = _results(GOLDEN)
    assert set(results) == {
        'units',
        'train_A_fp32',
        *(
            f'infer_{name}_fp32 ({plan})'
            for name in ('cfg5_3v4a', 'nocfg_1v1a')
            for plan in ('reference', 'fused')
        ),
    }
    assert all(result.passed for result in results.values()), results


def test_the_reference_plan_is_held_to_every_call_and_slot() -> None:
    results = _results(GOLDEN)
    assert results['infer_cfg5_3v4a_fp32 (reference)'].compared == 1 + 2 * 5 + 22 * 6
    assert results['infer_cfg5_3v4a_fp32 (fused)'].compared == 2 * 3


def test_another_weight_is_noticed(folder: Path) -> None:
    path = folder / 'tiny_state_dict.safetensors'
    weights = load_file(path)
    weights['blocks.1.attn1.to_k.weight'][0, 0] += 0.5
    save_file(weights, path)
    failed = {case for case, result in _results(folder).items() if not result.passed}
    assert failed == set(_results(folder)) - {'units'}


@pytest.mark.parametrize(
    ('case', 'tensor'),
    [
        ('infer_nocfg_1v1a_fp32', 'call007.cache_valid_after'),
        ('infer_nocfg_1v1a_fp32', 'chunk1.frame_st_id_after'),
        ('infer_cfg5_3v4a_fp32', 'chunk0.cache_k_block0_valid'),
        ('train_A_fp32', 'mask.self'),
        ('units', 'temb.action_proj'),
    ],
)
def test_another_recorded_tensor_is_noticed(folder: Path, case: str, tensor: str) -> None:
    path = folder / f'{case}.safetensors'
    record = load_file(path)
    value = record[tensor]
    record[tensor] = ~value if value.dtype == torch.bool else value + 1
    save_file(record, path)
    result = next(r for name, r in _results(folder).items() if name.startswith(case))
    assert not result.passed
    assert result.worst == tensor


def test_a_case_alone_in_its_folder_is_run(folder: Path) -> None:
    for path in folder.glob('*'):
        if path.stem not in ('tiny_config', 'tiny_state_dict', 'train_A_fp32'):
            path.unlink()
    assert list(_results(folder)) == ['train_A_fp32']


def test_a_folder_without_cases_of_the_network_needs_no_weights(tmp_path: Path) -> None:
    assert list(run_folder(tmp_path)) == []


def test_bf16_stays_within_its_tolerance_of_the_recorded_fp32_run(folder: Path) -> None:
    for path in folder.glob('infer_*.json'):
        settings = json.loads(path.read_text())
        path.write_text(json.dumps({**settings, 'dtype': 'torch.bfloat16'}))
    shutil.copy(folder / 'train_A_fp32.safetensors', folder / 'train_B_bf16.safetensors')
    results = _results(folder)
    for case, result in results.items():
        if case == 'train_B_bf16' or 'fused' in case:
            assert 1e-4 < result.max_error <= result.tolerance == 0.3, result


@pytest.mark.parametrize(
    ('spoil', 'message'),
    [
        (lambda f: (f / 'tiny_state_dict.safetensors').unlink(), 'state_dict.safetensors is mis'),
        (lambda f: (f / 'tiny_config.json').write_text('{'), 'no JSON'),
        (lambda f: (f / 'units.safetensors').write_bytes(b'12345678'), 'damaged'),
        (
            lambda f: (f / 'tiny_config.json').write_text('{"num_layer": 3}'),
            "did you mean 'num_layers'",
        ),
        (
            lambda f: (f / 'tiny_config.json').write_text(
                (f / 'tiny_config.json').read_text().replace('"ffn_dim": 96', '"ffn_dim": 95')
            ),
            'does not fit',
        ),
        (lambda f: (f / 'infer_nocfg_1v1a_fp32.json').write_text('{}'), 'lacks the setting'),
    ],
)
def test_a_spoilt_folder_is_refused_in_one_line(folder: Path, spoil, message: str) -> None:
    spoil(folder)
    with pytest.raises(UserError, match=message) as raised:
        list(run_folder(folder))
    assert '\n' not in str(raised.value)
