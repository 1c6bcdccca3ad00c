"""A session is seeded, bounded, honest about errors, and whole again after a reset."""

import functools
import gc
import re
import resource
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from wam_worlds import MODEL, USED, Episode, play, random_model, rounds, small_config

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.config import GuidanceConfig
from flash_wam_ros.wam.session import WamSession

PLANS = pytest.mark.parametrize('plan', ['fused', 'reference'])


@PLANS
def test_the_same_seed_gives_the_same_episode_and_another_one_another(plan: str) -> None:
    config = small_config()
    model, episode = random_model(), Episode(config)
    one, two, other = (
        play(WamSession(model, config, plan=plan, seed=seed), episode, rounds(2))
        for seed in (7, 7, 8)
    )
    assert torch.equal(one[1].actions, two[1].actions)
    assert not torch.allclose(one[1].actions, other[1].actions)


@PLANS
def test_a_reset_leaves_nothing_of_the_episode_before(plan: str) -> None:
    config = small_config()
    session, episode = WamSession(random_model(), config, plan=plan), Episode(config)
    before = play(session, episode, rounds(5))
    again = play(session, episode, rounds(5))
    for one, two in zip(before, again, strict=True):
        assert torch.equal(one.actions, two.actions)
        assert torch.equal(one.latents, two.latents)


@PLANS
def test_a_session_survives_an_exception_in_the_middle_of_a_chunk(
    plan: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(video_steps=2, action_steps=2)
    model, episode = random_model(), Episode(config)
    session = WamSession(model, config, plan=plan)
    expected = play(session, episode, rounds(3))
    play(session, episode, rounds(2))
    with monkeypatch.context() as patch:
        patch.setattr(model, 'action_head', _fail)
        with pytest.raises(RuntimeError, match='power cut'):
            session.imagine_and_act()
    with pytest.raises(UserError, match='broke off in an earlier call; call reset first'):
        session.observe(*episode.observation(2))
    found = play(session, episode, rounds(3))
    assert torch.equal(found[2].actions, expected[2].actions)


def _fail(*_: object) -> None:
    raise RuntimeError('power cut')


@PLANS
def test_weights_that_changed_count_from_the_next_reset_on(plan: str) -> None:
    config = small_config()
    model, episode = random_model(0), Episode(config)
    session = WamSession(model, config, plan=plan)
    play(session, episode, rounds(1))
    model.load_state_dict(random_model(1).state_dict())
    found = play(session, episode, rounds(1))
    expected = play(WamSession(random_model(1), config, plan=plan), episode, rounds(1))
    assert torch.equal(found[0].actions, expected[0].actions)


@PLANS
def test_the_first_chunk_begins_with_what_is_seen_and_without_actions(plan: str) -> None:
    config = small_config(video_steps=2)
    episode = Episode(config)
    result = play(WamSession(random_model(), config, plan=plan), episode, ['imagine'])[0]
    torch.testing.assert_close(result.latents[:, :, :1], episode.first)
    middle = (-1.5 + 2.0) / 2
    torch.testing.assert_close(
        result.actions[:, 0], torch.full((len(USED), 3), middle), atol=1e-5, rtol=0
    )
    assert (result.first_frame, result.executed_from) == (0, 1)


def test_later_chunks_execute_every_frame() -> None:
    config = small_config()
    results = play(WamSession(random_model(), config), Episode(config), rounds(3))
    assert [result.first_frame for result in results] == [0, 2, 4]
    assert [result.executed_from for result in results] == [1, 0, 0]


def test_imagining_again_draws_another_future_of_the_same_past() -> None:
    config = small_config()
    model, episode = random_model(), Episode(config)
    session = WamSession(model, config)
    play(session, episode, ['observe', 'observe', 'observe'])
    noise = torch.randn(1, 4, 2, 4, 2), torch.randn(1, 30, 2, 3)
    session.imagine_and_act()
    second = session.imagine_and_act(*noise)
    third = session.imagine_and_act(*noise)
    assert torch.equal(second.actions, third.actions)


def test_results_are_not_overwritten_by_the_next_chunk() -> None:
    config = small_config()
    session, episode = WamSession(random_model(), config), Episode(config)
    first = play(session, episode, rounds(1))[0]
    kept = first.latents.clone(), first.actions.clone()
    session.imagine_and_act()
    assert torch.equal(first.latents, kept[0])
    assert torch.equal(first.actions, kept[1])


def test_normalised_actions_are_taken_as_they_are() -> None:
    config = small_config()
    model, episode = random_model(), Episode(config)
    raw, scaled = WamSession(model, config), WamSession(model, config)
    for session, normalised in ((raw, False), (scaled, True)):
        play(session, episode, ['imagine'])
        latents, actions = episode.observation(0)
        given = raw._layout.normalise(actions) if normalised else actions
        session.observe(latents, given, normalised=normalised)
    assert torch.equal(raw.imagine_and_act().actions, scaled.imagine_and_act().actions)


@pytest.mark.slow
def test_memory_does_not_grow_over_a_thousand_chunks() -> None:
    config = small_config()
    session, episode = WamSession(random_model(), config), Episode(config)
    play(session, episode, rounds(20))
    latents, actions = episode.observation(1)
    cache, sizes = session.cache_bytes, []
    for chunk in range(1000):
        session.imagine_and_act()
        session.observe(latents, actions)
        if chunk in (199, 999):
            sizes.append((_resident_bytes(), _live_tensors()))
    (early_bytes, early_tensors), (late_bytes, late_tensors) = sizes
    assert late_tensors == early_tensors
    assert late_bytes - early_bytes < 8 * 2**20
    assert session.cache_bytes == cache


def _live_tensors() -> int:
    gc.collect()
    return sum(type(item) is torch.Tensor for item in gc.get_objects())


def _resident_bytes() -> int:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize()


def test_the_cache_holds_keys_and_values_of_the_whole_window() -> None:
    config = small_config(window=6, guidance=(2.0, 1.0))
    slots = 3 * (config.video_tokens + config.action_tokens)
    expected = MODEL.num_layers * 2 * 2 * slots * MODEL.width * 4
    for plan in ('fused', 'reference'):
        assert WamSession(random_model(), config, plan=plan).cache_bytes == expected


def test_compiling_and_graphs_fall_back_where_they_are_not_to_be_had(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch, 'compile', lambda *_, **__: _fail)
    config = small_config()
    episode = Episode(config)
    plain = play(WamSession(random_model(), config), episode, rounds(2))
    session = WamSession(random_model(), config, compiled=True, cuda_graphs=True)
    quick = play(session, episode, rounds(2))
    assert torch.equal(plain[1].actions, quick[1].actions)
    assert 'compilation failed' in caplog.text
    assert 'CUDA graphs need a CUDA device' in caplog.text


@pytest.mark.slow
def test_compiled_blocks_give_the_same_chunks(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The blocks are traced as for any backend; eager spares the minutes of code generation."""
    monkeypatch.setattr(torch, 'compile', functools.partial(torch.compile, backend='eager'))
    config = small_config()
    episode = Episode(config)
    plain = play(WamSession(random_model(), config), episode, rounds(3))
    compiled = play(WamSession(random_model(), config, compiled=True), episode, rounds(3))
    assert 'failed' not in caplog.text
    for one, two in zip(plain, compiled, strict=True):
        torch.testing.assert_close(one.actions, two.actions, atol=1e-4, rtol=1e-4)


def _observed() -> tuple[WamSession, Episode]:
    config = small_config()
    session, episode = WamSession(random_model(), config), Episode(config)
    episode.begin(session)
    return session, episode


@pytest.mark.parametrize(
    ('break_it', 'message'),
    [
        (
            lambda s, e: s.observe(torch.zeros(1, 4, 1, 4, 3), torch.zeros(3, 2, 3)),
            'observed latents have shape (1, 4, 1, 4, 3), expected (1, 4, 1, 4, 2)',
        ),
        (
            lambda s, e: s.observe(torch.zeros(1, 4, 2, 4, 2), torch.zeros(3, 2, 3)),
            'observed latents have shape (1, 4, 2, 4, 2), expected (1, 4, 1, 4, 2)',
        ),
        (
            lambda s, e: s.observe(e.observation(0)[0], torch.zeros(16, 2, 3)),
            'executed actions have shape (16, 2, 3), expected (3, 2, 3)',
        ),
        (
            lambda s, e: s.observe(e.observation(0)[0], torch.full((3, 2, 3), torch.nan)),
            'executed actions are not all finite',
        ),
        (
            lambda s, e: s.observe(torch.zeros(1, 4, 1, 4, 2, dtype=torch.uint8), e.first),
            'observed latents are torch.uint8, expected floating point',
        ),
        (lambda s, e: s.observe(e.observation(0)[0]), 'executed_actions are missing'),
        (lambda s, e: s.imagine_and_act(torch.zeros(1)), 'noise_video have shape (1,), expected'),
        (lambda s, e: s.reset(torch.zeros(1, 5, 13)), 'expected (1, tokens, 12)'),
    ],
)
def test_bad_input_is_refused_and_leaves_the_session_as_it_was(break_it, message: str) -> None:
    session, episode = _observed()
    with pytest.raises(UserError, match=re.escape(message)):
        break_it(session, episode)
    if 'tokens' not in message:
        session.imagine_and_act()


def test_calls_out_of_order_are_refused() -> None:
    config = small_config()
    session, episode = WamSession(random_model(), config), Episode(config)
    with pytest.raises(UserError, match='was not reset yet; call reset first'):
        session.imagine_and_act()
    session.reset(episode.text)
    with pytest.raises(UserError, match='nothing was observed yet'):
        session.imagine_and_act()
    with pytest.raises(UserError, match='the first observation has no executed actions'):
        session.observe(episode.first, torch.zeros(3, 2, 3))


def test_guidance_without_the_empty_instruction_is_refused() -> None:
    config = small_config(guidance=(5.0, 1.0))
    with pytest.raises(UserError, match='needs text_uncond'):
        WamSession(random_model(), config).reset(torch.zeros(1, 5, 12))


def test_weights_that_are_not_numbers_never_become_actions() -> None:
    config = small_config()
    model, episode = random_model(), Episode(config)
    with torch.no_grad():
        model.action_proj_out.weight[0, 0] = torch.nan
    session = WamSession(model, config)
    episode.begin(session)
    with pytest.raises(UserError, match='not all numbers are finite'):
        session.imagine_and_act()


def test_wrong_plans_types_and_models_are_refused() -> None:
    config = small_config()
    with pytest.raises(UserError, match="did you mean 'fused'"):
        WamSession(random_model(), config, plan='fuse')
    with pytest.raises(UserError, match=r'torch.float64, expected float32 or bfloat16'):
        WamSession(random_model(), config, dtype=torch.float64)
    other = replace(config, model=replace(MODEL, num_layers=3))
    with pytest.raises(UserError, match='num_layers 2, its configuration 3'):
        WamSession(random_model(), other)


def test_guidance_of_one_equals_no_guidance() -> None:
    config = small_config(guidance=(1.0 + 1e-7, 1.0))
    assert config.guidance.active
    episode = Episode(config)
    plain = replace(config, guidance=GuidanceConfig())
    one = play(WamSession(random_model(), config), episode, rounds(2))
    two = play(WamSession(random_model(), plain), episode, rounds(2))
    torch.testing.assert_close(one[1].actions, two[1].actions, atol=1e-4, rtol=1e-4)
