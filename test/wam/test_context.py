"""Laws of the observation context: what the newest look adds to every noisy token."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from wam_worlds import MODEL, Episode, random_model, small_config

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.acting_again import ActingAgain
from flash_wam_ros.wam.cache import Keep
from flash_wam_ros.wam.config import ModelConfig, WamConfig
from flash_wam_ros.wam.context import Seen
from flash_wam_ros.wam.context_config import ContextConfig
from flash_wam_ros.wam.presets import preset
from flash_wam_ros.wam.session import WamSession
from flash_wam_ros.wam.state import StateConfig
from flash_wam_ros.wam.streams import StreamBatch
from flash_wam_ros.wam.transformer import WorldActionTransformer

JOINTS = 3
CONTEXT = ContextConfig(state_dim=JOINTS, stem_channels=4, keypoints=3)
STATE = StateConfig(mean=(0.5, -0.5, 0.0), std=(2.0, 1.0, 0.5))


def told_config(**shape: object) -> WamConfig:
    """Return a small configuration with an observation context."""
    config = small_config(**shape)  # type: ignore[arg-type]
    return replace(config, model=replace(MODEL, context=CONTEXT), state=STATE)


def states(count: int) -> np.ndarray:
    """Return (count, S) joint positions."""
    return np.random.default_rng(5).standard_normal((count, JOINTS))


def play_told(session: WamSession, episode: Episode, chunks: int) -> list:
    """Return the chunks of an episode whose joints are measured too."""
    measured = states(chunks + 1)
    session.reset(episode.text, episode.empty)
    session.observe(episode.first, state=measured[0])
    results = []
    for chunk in range(chunks):
        results.append(session.imagine_and_act())
        session.observe(*episode.observation(chunk), state=measured[chunk + 1])
    return results


@settings(max_examples=15, deadline=None)
@given(
    frames=st.integers(1, 3),
    actions=st.integers(1, 3),
    steps=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    guidance=st.sampled_from([(1.0, 1.0), (3.0, 1.0), (2.0, 3.0)]),
)
def test_both_plans_agree_with_a_context(frames, actions, steps, guidance) -> None:
    config = told_config(
        frames=frames,
        actions=actions,
        rows=2,
        columns=2,
        video_steps=steps[0],
        action_steps=steps[1],
        guidance=guidance,
    )
    model, episode = random_model(config=config.model), Episode(config)
    fused, reference = (
        play_told(WamSession(model, config, plan=plan), episode, 4)
        for plan in ('fused', 'reference')
    )
    for ours, published in zip(fused, reference, strict=True):
        torch.testing.assert_close(ours.latents, published.latents, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(ours.actions, published.actions, atol=1e-3, rtol=1e-3)


def _joined(calls, keep: Keep, is_action: bool) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = [call for call in calls if call.keep == keep and call.is_action == is_action]
    return torch.cat([c.noisy for c in chosen], 2), torch.cat([c.timesteps for c in chosen], 1)


def test_training_gives_the_actions_of_inference() -> None:
    """One action step of the last of three chunks is the teacher-forced velocity of training."""
    config = told_config(window=8, rows=2, columns=2)
    model, calls = random_model(config=config.model), []
    session = WamSession(model, config, plan='reference', on_call=calls.append)
    episode, measured = Episode(config), states(4)
    session.reset(episode.text, episode.empty)
    session.observe(episode.first, state=measured[0])
    chunks = []
    for chunk in range(3):
        chunks.append(session.imagine_and_act())
        seen = chunks[-1].latents[:, :, 1:] if chunk == 0 else chunks[-1].latents
        session.observe(seen, episode.observation(chunk)[1], state=measured[chunk + 1])
    streams = []
    for is_action in (False, True):
        (noisy, t_noisy), (clean, t_clean) = (
            _joined(calls, keep, is_action) for keep in (Keep.TRANSIENT, Keep.COMMITTED)
        )
        streams.append(StreamBatch(noisy=noisy, clean=clean, t_noisy=t_noisy, t_clean=t_clean))
    # Frame 0 is told with the first state; the last frame of chunk k with state k + 1.
    told = np.stack([measured[0], *np.repeat(measured[1:], 2, 0)[1:]])
    state = STATE.normalise(told).T[None]
    seen = Seen(streams[0].clean, state)
    with torch.no_grad():
        trained = model.forward_train(
            *streams, episode.text, chunk_size=2, window_size=64, seen=seen
        )
    noise = streams[1].noisy[:, :, -2:]
    found = (noise - trained.action[:, :, -2:])[0, list(config.actions.used)]
    low, high = config.actions.q01[0], config.actions.q99[0]
    torch.testing.assert_close(
        (found + 1) / 2 * (high - low) + low, chunks[-1].actions, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize('told', [False, True])
@pytest.mark.parametrize('imagination', [False, True])
def test_actions_alone_get_what_the_whole_sequence_gives_them(
    told: bool, imagination: bool
) -> None:
    config = told_config(rows=4, columns=2) if told else small_config(rows=4, columns=2)
    model, rng = random_model(config=config.model), torch.Generator().manual_seed(0)
    batch, frames = 3, 5  # the last of the three chunks is cut short

    def stream(shape: tuple[int, ...]) -> StreamBatch:
        values = [torch.randn(batch, *shape, generator=rng) for _ in range(2)]
        times = [1000 * torch.rand(batch, frames, generator=rng) for _ in range(2)]
        return StreamBatch(noisy=values[0], clean=values[1], t_noisy=times[0], t_clean=times[1])

    video = stream((config.model.in_channels, frames, *config.latent_hw))
    action = stream((config.model.action_dim, frames, config.chunk.actions_per_frame))
    other = stream(tuple(action.noisy.shape[1:]))
    text = torch.randn(batch, 4, config.model.text_dim, generator=rng)
    options = {
        'chunk_size': 2,
        'window_size': 3,
        'seen': Seen(video.clean, torch.randn(batch, JOINTS, frames, generator=rng)),
        'imagination': imagination,
    }
    with torch.no_grad():
        again = ActingAgain(model, video, action, text, **options)
        torch.testing.assert_close(again.velocity, model(video, action, text, **options))
        changed = replace(action, noisy=other.noisy, t_noisy=other.t_noisy)
        torch.testing.assert_close(
            again(other.noisy, other.t_noisy),
            model(video, changed, text, **options).action,
            atol=1e-5,
            rtol=1e-4,
        )


def test_an_untrained_copy_path_imagines_that_nothing_moves() -> None:
    config = told_config(rows=2, columns=2)
    torch.manual_seed(0)
    model = WorldActionTransformer(config.model)
    torch.nn.init.zeros_(model.proj_out.weight)
    torch.nn.init.zeros_(model.proj_out.bias)
    episode = Episode(config)
    for chunk in play_told(WamSession(model, config), episode, 1):
        still = episode.first.expand_as(chunk.latents)
        torch.testing.assert_close(chunk.latents, still, atol=1e-5, rtol=1e-5)


def test_words_joints_and_the_newest_look_each_change_the_actions() -> None:
    config = told_config(rows=2, columns=2)
    model, episode = random_model(config=config.model), Episode(config)

    def acted(*, text=episode.text, look=episode.first, shift=0.0) -> torch.Tensor:
        state = states(1)[0] + shift
        context = model.observation_context(look, text, STATE.normalise(state)[None])
        return model.context_tokens(context, 2, 3)

    base = acted()
    for changed in (
        acted(text=episode.empty),
        acted(look=episode.first + 0.1),
        acted(shift=0.1),
    ):
        assert (changed - base).abs().max() > 1e-3


def seen_points(
    views: tuple[tuple[int, int, int, int], ...], latents: torch.Tensor
) -> torch.Tensor:
    """Return (3, V, K/V) x, y and strength of the key points of one look."""
    context = replace(CONTEXT, views=views)
    model = random_model(config=replace(MODEL, context=context))
    goal = torch.linspace(-1, 1, 64)[None]
    with torch.no_grad():
        points = model.context.stem(latents, goal)[1]
    return points.reshape(3, max(len(views), 1), -1)


def test_each_camera_has_key_points_of_its_own() -> None:
    """A change well inside one view moves the key points of that view and of no other."""
    views = ((0, 0, 8, 8), (0, 8, 8, 8))
    latents = torch.randn(1, MODEL.in_channels, 8, 16, generator=torch.Generator().manual_seed(1))
    changed = latents.clone()
    changed[..., 12:14] += 1.0
    before, after = seen_points(views, latents), seen_points(views, changed)
    torch.testing.assert_close(before[:, 0], after[:, 0], atol=0.0, rtol=0.0)
    assert (before[:, 1] - after[:, 1]).abs().min() > 1e-6


def test_a_view_of_the_whole_canvas_is_the_canvas() -> None:
    latents = torch.randn(1, MODEL.in_channels, 8, 16, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        seen_points((), latents), seen_points(((0, 0, 8, 16),), latents), atol=0.0, rtol=0.0
    )


@pytest.mark.parametrize('view', [(-1, 0, 2, 2), (0, 0, 0, 2), (0, -2, 2, 2), (0, 0, 2, 0)])
def test_a_view_that_is_nowhere_is_refused(view: tuple[int, int, int, int]) -> None:
    with pytest.raises(UserError, match='context: view'):
        ContextConfig(views=(view,))


@pytest.mark.parametrize('name', ['g1-tiny', 'g1-base'])
def test_the_g1_sees_with_a_view_for_each_camera(name: str) -> None:
    config = preset(name)
    boxes = tuple(config.canvas.box(camera) for camera in config.canvas.cameras)
    assert config.model.context is not None
    assert config.model.context.views == boxes


def test_a_view_beyond_the_canvas_is_refused() -> None:
    config = told_config(rows=2, columns=2)
    context = replace(CONTEXT, views=((0, 0, 2, 2), (0, 2, 2, 3)))
    with pytest.raises(UserError, match=r'view \(0, 2, 2, 3\)'):
        replace(config, model=replace(config.model, context=context))


def test_padding_of_the_words_does_not_matter() -> None:
    config = told_config()
    model, episode = random_model(config=config.model), Episode(config)
    state = STATE.normalise(states(1))
    padded = torch.nn.functional.pad(episode.text, (0, 0, 0, 4))
    short, long = (
        model.observation_context(episode.first, text, state) for text in (episode.text, padded)
    )
    torch.testing.assert_close(short.summary, long.summary)


def test_the_files_of_the_published_form_do_not_know_of_a_context() -> None:
    assert 'context' not in ModelConfig().to_dict()
    assert 'state' not in preset('robotwin').to_dict()


@pytest.mark.parametrize('name', ['g1-micro', 'g1-tiny', 'g1-base'])
def test_the_presets_of_the_g1_survive_their_files(name: str) -> None:
    config = preset(name)
    assert WamConfig.from_dict(config.to_dict()) == config


def test_a_session_wants_the_joints_that_its_model_reads_and_no_others() -> None:
    config = told_config()
    session = WamSession(random_model(config=config.model), config)
    episode = Episode(config)
    session.reset(episode.text, episode.empty)
    with pytest.raises(UserError, match='reads joint positions'):
        session.observe(episode.first)
    with pytest.raises(UserError, match='the model reads 3'):
        session.observe(episode.first, state=np.zeros(2))
    with pytest.raises(UserError, match='not all finite'):
        session.observe(episode.first, state=np.array([0.0, np.nan, 0.0]))
    plain = WamSession(random_model(), small_config())
    plain.reset(episode.text, episode.empty)
    with pytest.raises(UserError, match='reads no joint positions'):
        plain.observe(episode.first, state=np.zeros(JOINTS))


def test_places_of_objects_are_read_after_the_joints() -> None:
    told = StateConfig(mean=(0.0,) * 8, std=(2.0,) * 8, objects=('cup', 'lid'))
    poses = {'lid': np.arange(7.0), 'cup': np.arange(10.0, 17.0), 'more': np.zeros(7)}
    reading = told.reading(np.array([-1.0, -2.0]), poses)
    np.testing.assert_array_equal(reading, [-1, -2, 10, 11, 12, 0, 1, 2])
    np.testing.assert_array_equal(told.normalise(reading), reading / 2)
    assert StateConfig.from_dict(told.to_dict()) == told
    with pytest.raises(UserError, match='where lid is'):
        told.reading(np.zeros(2), {'cup': np.zeros(7)})


def test_a_state_without_joints_is_refused() -> None:
    with pytest.raises(UserError, match='no joint beside 2 objects'):
        StateConfig(mean=(0.0,) * 6, std=(1.0,) * 6, objects=('cup', 'lid'))


def test_a_model_and_its_normalisation_must_agree() -> None:
    with pytest.raises(UserError, match='reads 3 joint positions'):
        replace(told_config(), state=None)
