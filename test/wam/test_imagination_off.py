"""Laws of acting without imagining: the actions see the past alone (Fast-WAM)."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from wam_worlds import Episode, play, random_model, rounds, small_config

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.config import WamConfig
from flash_wam_ros.wam.masks import training_mask
from flash_wam_ros.wam.session import WamSession


def off(**shape: object) -> WamConfig:
    """Return a small configuration without imagination."""
    return replace(small_config(**shape), imagination=False)  # type: ignore[arg-type]


@settings(max_examples=20, deadline=None)
@given(
    window=st.sampled_from([4, 6, 8]),
    frames=st.integers(1, 3),
    actions=st.integers(1, 3),
    steps=st.integers(1, 3),
    guidance=st.sampled_from([(1.0, 1.0), (1.0, 2.0)]),
    count=st.integers(1, 9),
)
def test_both_plans_agree_without_imagination(
    window, frames, actions, steps, guidance, count
) -> None:
    config = off(
        window=window, frames=frames, actions=actions, action_steps=steps, guidance=guidance
    )
    model, episode = random_model(), Episode(config)
    fused, reference = (
        play(WamSession(model, config, plan=plan), episode, rounds(count))
        for plan in ('fused', 'reference')
    )
    for ours, published in zip(fused, reference, strict=True):
        torch.testing.assert_close(ours.actions, published.actions, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours.latents, published.latents)


@pytest.mark.parametrize('steps', [1, 2])
def test_a_chunk_takes_as_many_passes_as_action_steps(steps: int) -> None:
    config = off(action_steps=steps)
    chunks = play(WamSession(random_model(), config), Episode(config), rounds(6))
    assert [chunk.passes for chunk in chunks] == [steps] * 6


def test_without_temperature_no_chance_is_left() -> None:
    def chunk(temperature: float, seed: int) -> torch.Tensor:
        config = replace(off(), temperature=temperature)
        session = WamSession(random_model(), config, seed=seed)
        return play(session, Episode(config), rounds(2))[1].actions

    assert torch.equal(chunk(0.0, 7), chunk(0.0, 8))
    apart = [float((chunk(t, 7) - chunk(t, 8)).norm()) for t in (0.5, 1.0)]
    assert 0 < apart[0] < apart[1]


def test_the_latents_stand_still() -> None:
    config, calls = off(), rounds(2)
    episode = Episode(config)
    first, second = play(WamSession(random_model(), config), episode, calls)
    torch.testing.assert_close(first.latents, episode.first.expand_as(first.latents))
    newest = episode.observation(0)[0][:, :, -1:]
    torch.testing.assert_close(second.latents, newest.expand_as(second.latents))


def test_the_noise_of_the_video_does_not_matter_and_the_past_does() -> None:
    config = off()
    model, episode = random_model(), Episode(config)

    def acted(noise: float, past: float) -> torch.Tensor:
        session = WamSession(model, config)
        episode.begin(session)
        session.imagine_and_act()
        latents, actions = episode.observation(0)
        session.observe(latents + past, actions)
        shape = (1, 4, 2, *config.latent_hw)
        still = torch.zeros(1, 30, 2, 3)
        return session.imagine_and_act(torch.full(shape, noise), still).actions

    torch.testing.assert_close(acted(0.0, 0.0), acted(3.0, 0.0))
    assert (acted(0.0, 0.0) - acted(0.0, 1.0)).abs().max() > 1e-4


def test_in_training_actions_do_not_see_the_video_of_their_chunk_but_the_first_frame() -> None:
    frames, video, action = 4, 3, 2
    v, a = frames * video, frames * action
    full = training_mask(frames, video, action, 2, 64)
    blind = training_mask(frames, video, action, 2, 64, imagination=False)
    changed = full & ~blind
    noisy_actions, clean_video = slice(2 * v, 2 * v + a), slice(v, 2 * v)
    assert changed.sum() == changed[noisy_actions, clean_video].sum()
    # Chunk 0 keeps its first frame and loses its second; chunk 1 keeps chunk 0 alone.
    kept = blind[noisy_actions, clean_video]
    assert kept[: 2 * action, :video].all()
    assert not kept[: 2 * action, video:].any()
    assert kept[2 * action :, : 2 * video].all()
    assert not kept[2 * action :, 2 * video :].any()


def test_a_window_without_past_is_refused() -> None:
    with pytest.raises(UserError, match='attn_window 2'):
        off(window=2)
