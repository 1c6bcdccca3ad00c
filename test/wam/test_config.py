"""Configurations are complete, strict and survive being written down."""

import json
from dataclasses import replace

import pytest

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.config import ChunkConfig, GuidanceConfig, ModelConfig, WamConfig
from flash_wam_ros.wam.presets import PRESETS, SIZES, few_steps, preset


@pytest.mark.parametrize('name', PRESETS)
@pytest.mark.parametrize('size', ['5b', '130m'])
def test_presets_survive_json(name: str, size: str) -> None:
    config = preset(name, size)
    assert WamConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_presets_have_the_published_token_counts() -> None:
    tokens = {name: (preset(name).video_tokens, preset(name).action_tokens) for name in PRESETS}
    assert tokens['robotwin'] == (240, 32)
    assert tokens['libero'] == (128, 16)
    assert tokens['franka'] == (840, 80)
    assert tokens['demo'] == (512, 32)


def test_robotwin_caches_9792_tokens_and_libero_2160() -> None:
    slots = {
        name: preset(name).chunk.pairs * (preset(name).video_tokens + preset(name).action_tokens)
        for name in ('robotwin', 'libero')
    }
    assert slots == {'robotwin': 9792, 'libero': 2160}


def test_the_g1_uses_the_joint_channels_and_grippers() -> None:
    assert preset('g1').actions.used == tuple(range(14, 30))


def test_few_steps_drop_guidance_too() -> None:
    config = few_steps(preset('robotwin'), 1, 2)
    assert (config.video.steps, config.action.steps) == (1, 2)
    assert not config.guidance.active


def test_the_diffusers_form_of_a_model_configuration_is_read() -> None:
    values = {'_class_name': 'WanTransformer3DModel', '_diffusers_version': '0.36'}
    assert ModelConfig.from_dict({**values, **ModelConfig().to_dict()}) == ModelConfig()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: preset('robotwn'), "unknown preset 'robotwn'; did you mean 'robotwin'"),
        (lambda: preset('g1', 'small'), "unknown model size 'small'"),
        (lambda: ModelConfig.from_dict({'num_layer': 3}), "did you mean 'num_layers'"),
        (lambda: ModelConfig(num_layers=0), 'num_layers is 0, expected a whole number >= 1'),
        (lambda: ModelConfig(out_channels=4), 'in_channels 48 and out_channels 4 differ'),
        (lambda: ModelConfig(attention_head_dim=7), 'attention_head_dim is 7'),
        (lambda: ModelConfig(attn_mode='flash'), "did you mean 'flashattn'"),
        (lambda: ModelConfig(patch_size=(2, 2, 2)), r'patch_size is \(2, 2, 2\)'),
        (lambda: GuidanceConfig(video=float('nan')), 'video is nan'),
        (
            lambda: ChunkConfig(frames_per_chunk=2, actions_per_frame=2, attn_window=1),
            'attn_window is 1, expected >= 2',
        ),
        (
            lambda: replace(preset('g1'), video_head='x1'),
            "unknown video_head 'x1'; valid: consistency, x0",
        ),
        (
            lambda: replace(preset('g1'), model=replace(SIZES['5b'], action_dim=29)),
            'action statistics cover 30 channels, the model has 29',
        ),
        (
            lambda: replace(preset('g1'), video=replace(preset('g1').video, exec_steps=2)),
            r'exec_steps is 2, expected -1 \(all\) or a count in \[1, 1\]',
        ),
        (lambda: WamConfig.from_dict({'modle': {}}), "did you mean 'model'"),
        (
            lambda: WamConfig.from_dict({**preset('g1').to_dict(), 'video': {'step': 1}}),
            "unknown setting 'step'",
        ),
    ],
)
def test_a_wrong_setting_is_refused_with_a_remedy(make, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
