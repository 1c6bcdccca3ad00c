"""Cached inference over several chunks, in either plan.

The chunks' results bind every plan; the calls, slots and their order the reference plan alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.wam.actions import ActionConfig
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.config import (
    ChunkConfig,
    GuidanceConfig,
    ModelConfig,
    ScheduleConfig,
    WamConfig,
)
from flash_wam_ros.wam.golden.record import Recordings, need, read_json, read_tensors
from flash_wam_ros.wam.golden.result import CaseResult, Comparison
from flash_wam_ros.wam.plan_reference import Call, ReferencePlan
from flash_wam_ros.wam.session import ChunkResult, WamSession

PLANS_TO_RUN = ('reference', 'fused')
_DTYPES = {'torch.float32': torch.float32, 'torch.bfloat16': torch.bfloat16}


def config_from_recording(values: Mapping[str, Any], model: ModelConfig, path: Path) -> WamConfig:
    """Return the configuration of a recorded rollout.

    Raises:
        UserError: a setting is missing or wrong.
    """
    try:
        return WamConfig(
            model=model,
            video=ScheduleConfig(
                steps=values['num_inference_steps'],
                shift=values['snr_shift'],
                exec_steps=values.get('video_exec_step', -1),
            ),
            action=ScheduleConfig(
                steps=values['action_num_inference_steps'], shift=values['action_snr_shift']
            ),
            chunk=ChunkConfig(
                frames_per_chunk=values['frame_chunk_size'],
                actions_per_frame=values['action_per_frame'],
                attn_window=values['attn_window'],
            ),
            canvas=CanvasConfig.from_published(
                values['env'], values['obs_cam_keys'], values['height'], values['width']
            ),
            actions=ActionConfig(
                used=tuple(values['used_action_channel_ids']),
                q01=tuple(values['norm_stat']['q01']),
                q99=tuple(values['norm_stat']['q99']),
            ),
            guidance=GuidanceConfig(
                video=max(1.0, values['guidance_scale']),
                action=max(1.0, values['action_guidance_scale']),
            ),
        )
    except KeyError as error:
        raise UserError(f'{path} lacks the setting {error}; record it anew') from None


def _dtype(values: Mapping[str, Any], path: Path) -> torch.dtype:
    name = str(values.get('dtype', 'torch.float32'))
    if name not in _DTYPES:
        raise UserError(f'{path}: unknown dtype {name!r}; {did_you_mean(name, _DTYPES)}')
    return _DTYPES[name]


def _compare_call(
    comparison: Comparison, record: Mapping[str, Tensor], call: int, found: Call
) -> None:
    prefix = f'call{call:03d}.'
    out = found.out
    batch = out.shape[0]
    if not found.is_action and prefix + 'out' in record:
        # The published model returns one token a latent pixel.
        out = out.reshape(batch, -1, record[prefix + 'out'].shape[-1])
    values = {
        'noisy': found.noisy.unsqueeze(-1) if found.is_action else found.noisy,
        'timesteps': found.timesteps,
        'grid_id': found.grid.expand(batch, -1, -1),
        'out': out,
    }
    for name, value in values.items():
        if prefix + name in record:
            comparison.add(prefix + name, value, record[prefix + name])
    kept = torch.tensor([int(found.keep), int(found.is_action)])
    name = prefix + 'meta_update_action'
    if name in record:
        comparison.count(name, int((kept != record[name]).sum()), 0)
    name = prefix + 'cache_valid_after'
    if name in record:
        comparison.count(name, found.valid_after, int(record[name]))


def _compare_chunk(
    comparison: Comparison, record: Mapping[str, Tensor], chunk: int, found: ChunkResult
) -> None:
    values = {'out_latents': found.latents, 'out_actions_denorm': found.actions}
    for name, value in values.items():
        if f'chunk{chunk}.{name}' in record:
            comparison.add(f'chunk{chunk}.{name}', value, record[f'chunk{chunk}.{name}'])


def _compare_cache(
    comparison: Comparison, record: Mapping[str, Tensor], chunk: int, plan: ReferencePlan
) -> None:
    slots = plan.cache.ledger.valid_slots()
    last = plan.num_layers - 1
    parts = (('cache_k_block0_valid', 0, 0), ('cache_v_lastblock_valid', last, 1))
    for suffix, layer, part in parts:
        name = f'chunk{chunk}.{suffix}'
        if name in record:
            comparison.add(name, plan.cache.read(layer, slots)[part], record[name])


@torch.no_grad()
def run_rollout(path: Path, recordings: Recordings, plan: str) -> CaseResult | None:
    """Return how far a plan is from ``infer_*.safetensors``; None where it can't run the case.

    The fused plan denoises fully, so partial denoising is the reference plan's alone.
    """
    values, record = read_json(path.with_suffix('.json')), read_tensors(path)
    config = config_from_recording(values, recordings.config, path.with_suffix('.json'))
    if plan == 'fused' and config.video.exec_steps != -1:
        return None
    dtype = _dtype(values, path)
    calls: list[Call] = []
    session = WamSession(recordings.model(dtype), config, plan=plan, on_call=calls.append)
    comparison = Comparison(f'{path.stem} ({plan})', dtype)
    session.reset(need(record, 'in.text_emb_cond', path), record.get('in.text_emb_uncond'))
    session.observe(need(record, 'in.init_latent', path))
    reference = session.plan if isinstance(session.plan, ReferencePlan) else None
    if reference is not None and 'cache_total_slots' in record:
        slots = reference.cache.ledger.capacity
        comparison.count('cache_total_slots', slots, int(record['cache_total_slots']))
    for chunk in range(int(values['n_chunks'])):
        result = session.imagine_and_act(
            need(record, f'chunk{chunk}.noise_video', path),
            need(record, f'chunk{chunk}.noise_action', path).squeeze(-1),
        )
        _compare_chunk(comparison, record, chunk, result)
        if f'chunk{chunk}.obs_latent' not in record:
            break
        executed = need(record, f'chunk{chunk}.out_actions_denorm', path)
        session.observe(record[f'chunk{chunk}.obs_latent'], executed.float())
        if f'chunk{chunk}.frame_st_id_after' in record:
            name = f'chunk{chunk}.frame_st_id_after'
            comparison.count(name, session.frame, int(record[name]))
        if reference is not None:
            _compare_cache(comparison, record, chunk, reference)
    for index, call in enumerate(calls):
        _compare_call(comparison, record, index, call)
    return comparison.result()
