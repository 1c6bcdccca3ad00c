"""Laws of the word that says how a model is sampled."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash_wam_ros.core import UserError
from flash_wam_ros.policy.sampling import Sampling
from flash_wam_ros.wam.presets import preset


@given(video=st.integers(1, 60), action=st.integers(1, 60))
def test_the_word_sets_the_steps_and_nothing_else(video: int, action: int) -> None:
    before = preset('g1-tiny')
    after = Sampling.parse(f'{video}v{action}a').applied(before)
    assert (after.video.steps, after.action.steps) == (video, action)
    assert after.video.shift == before.video.shift
    assert (after.guidance, after.video_head) == (before.guidance, before.video_head)
    assert after.imagination


def test_extras_choose_the_function_and_the_guidance() -> None:
    config = Sampling.parse('25v50a+g5+trained').applied(preset('g1-tiny'))
    assert (config.guidance.video, config.video_head) == (5.0, 'consistency')
    assert Sampling.parse('1v1a+euler').applied(config).video_head == 'x0'


def test_extras_choose_the_temperature() -> None:
    config = Sampling.parse('1v1a+t0.5').applied(preset('g1-tiny'))
    assert config.temperature == 0.5
    assert Sampling.parse('1v1a').applied(config).temperature == 0.5
    with pytest.raises(UserError, match=r'temperature 1.5 outside \[0, 1\]'):
        Sampling.parse('1v1a+t1.5').applied(config)


def test_no_video_steps_turn_imagination_off() -> None:
    assert not Sampling.parse('0v2a').applied(preset('g1-tiny')).imagination


@pytest.mark.parametrize('text', ['', '1v', 'v1a', '1v1a+', '1v1a+fast', '1v1a g5', '-1v1a'])
def test_other_words_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match='1v2a'):
        Sampling.parse(text)


def test_actions_need_a_step() -> None:
    with pytest.raises(UserError, match='steps is 0'):
        Sampling.parse('1v0a').applied(preset('g1-tiny'))
