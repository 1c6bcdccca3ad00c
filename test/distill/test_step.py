"""Laws of the distillation step and of every recipe's objective."""

import copy
from dataclasses import replace

import pytest
import torch
from distill_worlds import CHUNK, FRAMES, MODEL, SETTING, batch, network

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.imagining import with_own_imagination
from flash_wam_ros.distill.networks import ema_update, frozen_copy
from flash_wam_ros.distill.noising import (
    LevelConfig,
    Noised,
    draw_noised,
    draw_timesteps,
    jump_timesteps,
    with_history_noise,
    with_noiseless_starts,
    with_pure_starts,
)
from flash_wam_ros.distill.objective import OptimiserConfig
from flash_wam_ros.distill.recipes import RECIPES, make_recipe
from flash_wam_ros.distill.recipes.action_prefix import ActionPrefixObjective
from flash_wam_ros.distill.recipes.endpoint import EndpointObjective
from flash_wam_ros.distill.step import euler, guided_velocities
from flash_wam_ros.distill.teacher import (
    TeacherConfig,
    TeacherObjective,
    flow_matching_losses,
)
from flash_wam_ros.distill.train.seeding import generator
from flash_wam_ros.distill.train.stepper import Stepper
from flash_wam_ros.distill.window import NoisyWindow, Velocities
from flash_wam_ros.wam.schedule import TrainingTable

TRAINED = [name for name, recipe in RECIPES.items() if recipe.trains]
TABLES = LevelConfig().tables()
ROLLOUT = replace(SETTING, levels=LevelConfig(draws='rollout'))


@pytest.mark.parametrize('name', TRAINED)
def test_a_step_changes_the_student_and_never_the_teacher(name: str) -> None:
    teacher = network()
    before = copy.deepcopy(teacher.state_dict())
    objective = make_recipe(name).objective(teacher, SETTING)
    student = copy.deepcopy(objective.networks['online'].state_dict())
    Stepper(objective, OptimiserConfig(lr=1e-3), lambda number: batch(seed=number)).step(0)
    for held in (teacher, objective.networks['teacher']):
        for key, value in held.state_dict().items():
            assert torch.equal(value, before[key]), key
    now = objective.networks['online'].state_dict()
    assert any(not torch.equal(now[key], student[key]) for key in student)


@pytest.mark.parametrize('name', TRAINED)
def test_the_same_seed_gives_the_same_loss(name: str) -> None:
    losses = [
        make_recipe(name)
        .objective(network(), SETTING)
        .loss('online', batch(), generator(5))
        .total.item()
        for _ in range(2)
    ]
    assert losses[0] == losses[1]


@pytest.mark.parametrize('name', TRAINED)
def test_numbers_in_unsupervised_channels_do_not_matter(name: str) -> None:
    clean = batch()
    spoilt = replace(clean, actions=torch.where(clean.actions_mask, clean.actions, 99.0))
    objective = make_recipe(name).objective(network(), SETTING)
    losses = [
        objective.loss('online', given, generator(5)).total.item() for given in (clean, spoilt)
    ]
    assert losses[0] == losses[1]


def test_the_moving_average_is_exact() -> None:
    target, online = network(1), network(2)
    expected = {
        k: 0.9 * v.double() + 0.1 * online.state_dict()[k].double()
        for k, v in target.state_dict().items()
    }
    ema_update(target, online, 0.9)
    for key, value in target.state_dict().items():
        torch.testing.assert_close(value.double(), expected[key], atol=1e-7, rtol=1e-6)


def test_a_moving_average_in_bf16_is_refused() -> None:
    with pytest.raises(TypeError, match='fp32'):
        ema_update(network().bfloat16(), network(), 0.995)


@pytest.mark.parametrize('shift', [5.0, 1.0, 0.05])
@pytest.mark.parametrize('stride', [1, 40, 500])
def test_a_jump_lands_on_the_entry_a_stride_further_and_never_past_the_table(
    shift: float, stride: int
) -> None:
    table = TrainingTable.make(shift)
    ends = jump_timesteps(table, table.timesteps, stride)
    expected = table.timesteps[(torch.arange(1000) + stride).clamp_max(999)]
    torch.testing.assert_close(ends, expected)
    assert (ends > 0).all()


def test_the_option_zero_ends_a_jump_at_exactly_zero() -> None:
    table = TrainingTable.make(5.0)
    ends = jump_timesteps(table, table.timesteps, 500, 'zero')
    torch.testing.assert_close(ends[:500], table.timesteps[500:])
    assert (ends[500:] == 0).all()


def test_an_euler_jump_along_the_true_velocity_of_one_sample_stays_on_its_path() -> None:
    sample = draw_noised(batch(), TABLES, generator(1))
    video = sample.window.video
    moved = euler(video, sample.video_velocity, torch.zeros_like(video.t))
    torch.testing.assert_close(moved.noisy, batch().latent, atol=1e-5, rtol=1e-5)


def test_guidance_of_one_asks_only_for_the_prompted_velocity() -> None:
    teacher = frozen_copy(network())
    window = draw_noised(batch(), TABLES, generator(1)).window
    plain, same = teacher(window), guided_velocities(teacher, window, 1.0, SETTING.empty_text)
    assert torch.equal(plain.video, same.video)
    empty = teacher(window.with_text(SETTING.empty_text)).video
    twice = guided_velocities(teacher, window, 2.0, SETTING.empty_text).video
    torch.testing.assert_close(twice, 2 * plain.video - empty)


def test_a_student_that_agrees_with_the_average_where_no_jump_happens_has_no_loss() -> None:
    recipe = make_recipe('joint_x0', student_steps=1000)
    objective = recipe.objective(network(), SETTING)
    sample = draw_noised(batch(), TABLES, generator(1))
    still = jump_timesteps(TABLES[0], sample.window.video.t, 0)
    torch.testing.assert_close(still, sample.window.video.t)
    f, v = recipe.video_function(), objective.networks['online'](sample.window).video
    assert f is not None
    video = sample.window.video
    torch.testing.assert_close(
        f(video.noisy, video.sigma, v),
        f(video.noisy, video.sigma, objective.networks['average'](sample.window).video),
    )


def test_the_prefix_in_flight_is_clean_stays_and_carries_no_gradient() -> None:
    objective = make_recipe('action_prefix').objective(network(), SETTING)
    assert isinstance(objective, ActionPrefixObjective)
    seen = set()
    for seed in range(8):
        sample = objective.sample(batch(), generator(seed))
        given = sample.window.action.t[0] == 0
        seen.add(int(given[:CHUNK].sum()))
        clean = batch().actions * batch().actions_mask
        assert torch.equal(sample.window.action.noisy[:, :, given], clean[:, :, given])
        assert not sample.actions_mask[:, :, given].any()
        assert (objective.jump(sample, generator(seed)).action_t <= sample.window.action.t).all()
    assert seen == {0, 1}


def test_a_flow_map_starts_as_its_teacher_and_then_heeds_its_target() -> None:
    plain = network()
    mapped = plain.with_target_time()
    window = draw_noised(batch(), TABLES, generator(1)).window
    asked = replace(window, action_target_t=torch.full((2, FRAMES), 300.0))
    torch.testing.assert_close(mapped(asked).action, plain(window).action)
    torch.nn.init.normal_(mapped.transformer.target_embedder.linear_2.weight)
    to_data = replace(window, action_target_t=torch.zeros(2, FRAMES))
    assert not torch.allclose(mapped(asked).action, mapped(to_data).action)
    with pytest.raises(UserError, match='target times'):
        mapped(window)


def test_on_policy_needs_more_than_the_chunk_that_is_given() -> None:
    objective = make_recipe('on_policy').objective(network(), replace(SETTING, chunk_size=FRAMES))
    with pytest.raises(UserError, match='lengthen the windows'):
        objective.loss('online', batch(), generator(0))


@pytest.mark.parametrize('temperature', [0.0, 0.5])
def test_on_policy_teacher_and_student_start_their_actions_from_noise_of_the_temperature(
    temperature: float,
) -> None:
    starts = []
    for each in (1.0, temperature):
        objective = make_recipe('on_policy', temperature=each).objective(network(), SETTING)
        for player in ('online', 'teacher'):
            objective.networks[player].register_forward_pre_hook(
                lambda _, given: starts.append(given[0].action.noisy)
            )
        objective.loss('online', batch(), generator(5))
    half = len(starts) // 2
    own = slice(CHUNK, None)
    # The rollout sees the noise twice, then the teacher begins with it.
    for plain, calm in zip(starts[:3], starts[half : half + 3], strict=True):
        assert plain[:, ::2, own].abs().min() > 0
        torch.testing.assert_close(calm[:, :, own], temperature * plain[:, :, own])


def _endpoint(**options: float) -> tuple[EndpointObjective, Noised]:
    """Return the objective and where it starts."""
    objective = make_recipe('endpoint', **options).objective(network(), ROLLOUT)
    assert isinstance(objective, EndpointObjective)
    return objective, objective._start(batch(), generator(5))


def test_the_endpoint_is_where_plain_euler_steps_of_the_teacher_end() -> None:
    objective, sample = _endpoint(teacher_steps=4)
    window, mask = sample.window, sample.actions_mask
    for t in (750.0, 500.0, 250.0, 0.0):
        with torch.no_grad():
            velocity = objective.networks['teacher'](window).action * mask
        window = replace(
            window, action=euler(window.action, velocity, window.action.t.clamp_max(t))
        )
    video, end = objective._teacher_ends(sample)
    torch.testing.assert_close(end, window.action.noisy, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(video, objective.networks['teacher'](sample.window).video)
    known = sample.window.action.noisy[:, :, 0]
    torch.testing.assert_close(end[:, :, 0], known)


@pytest.mark.parametrize('temperature', [0.0, 0.5])
def test_endpoint_actions_start_from_noise_of_the_temperature(temperature: float) -> None:
    plain, calm = (_endpoint(temperature=t)[1].window.action.noisy for t in (1.0, temperature))
    assert plain[:, ::2, 1:].abs().min() > 0
    torch.testing.assert_close(calm[:, :, 1:], temperature * plain[:, :, 1:])


def test_endpoint_actions_see_what_the_student_imagines_for_the_last_chunk_alone() -> None:
    _, sample = _endpoint()
    seen, true = sample.window.video.clean, batch().latent
    torch.testing.assert_close(seen[:, :, :CHUNK], true[:, :, :CHUNK])
    assert (seen[:, :, CHUNK:] != true[:, :, CHUNK:]).all()


def test_endpoint_holds_the_video_where_the_teacher_has_it() -> None:
    objective, _ = _endpoint()
    parts = objective.loss('online', batch(), generator(5)).parts
    assert parts['video'] == 0
    assert parts['action'] > 0
    with torch.no_grad():
        objective.networks['online'].transformer.proj_out.bias.add_(1.0)
    assert objective.loss('online', batch(), generator(5)).parts['video'] > 0.1


def test_history_noise_comes_from_the_cleaner_half_and_leaves_the_targets_alone() -> None:
    sample = draw_noised(batch(), TABLES, generator(1))
    noisy = with_history_noise(sample, TABLES[0], generator(2))
    levels = noisy.window.video.t_clean / 1000
    assert (levels > 0).all()
    assert (levels <= 0.8334).all()
    assert torch.equal(noisy.video_velocity, sample.video_velocity)
    assert not torch.equal(noisy.window.video.clean, sample.window.video.clean)


def test_noiseless_starts_ask_for_the_whole_way_from_zeros_to_what_was_done() -> None:
    clean = batch()
    sample = LevelConfig(draws='rollout').draw(clean, CHUNK, generator(1))
    every = with_noiseless_starts(sample, 1.0, CHUNK, generator(2))
    assert every.noiseless is not None
    action, own = every.window.action, slice(1, None)
    assert every.noiseless[:, own].all()
    assert (action.t[:, own] == 1000).all()
    assert (action.noisy[:, :, own] == 0).all()
    done = clean.actions * sample.actions_mask
    torch.testing.assert_close(every.action_velocity, -done, atol=1e-5, rtol=0)
    # The first frame of a rollout is known, so nothing starts there.
    assert not every.noiseless[:, 0].any()
    assert torch.equal(action.t[:, 0], sample.window.action.t[:, 0])


def test_noiseless_starts_are_drawn_chunk_by_chunk_and_leave_the_others_alone() -> None:
    sample = LevelConfig(draws='rollout').draw(batch(), CHUNK, generator(1))
    some = with_noiseless_starts(sample, 0.5, CHUNK, generator(3))
    assert some.noiseless is not None
    chosen = some.noiseless[:, 1:]
    assert chosen.any()
    assert not chosen.all()
    left = ~some.noiseless[:, None, :, None, None]
    before, after = sample.window.action, some.window.action
    for one, other in (
        (before.noisy, after.noisy),
        (sample.action_velocity, some.action_velocity),
    ):
        assert torch.equal(one * left, other * left)
    assert torch.equal(before.t * ~some.noiseless, after.t * ~some.noiseless)


def test_only_noiseless_starts_teach_what_one_step_at_temperature_0_asks() -> None:
    """The table's weight vanishes at sigma 1."""
    plain = LevelConfig(draws='rollout').draw(batch(), CHUNK, generator(1))
    at_one = replace(plain.window.action, t=torch.full_like(plain.window.action.t, 1000.0))
    noisy = replace(plain, window=replace(plain.window, action=at_one))
    from_zeros = with_noiseless_starts(plain, 1.0, CHUNK, generator(2))
    wrong = Velocities(torch.zeros_like(plain.video_velocity), torch.zeros_like(batch().actions))
    assert flow_matching_losses(wrong, noisy, TABLES)[1] == 0
    assert flow_matching_losses(wrong, from_zeros, TABLES)[1] > 0


def test_far_off_answers_weigh_by_their_distance_from_noiseless_starts_alone() -> None:
    plain = LevelConfig(draws='rollout').draw(batch(), CHUNK, generator(1))
    from_zeros = with_noiseless_starts(plain, 1.0, CHUNK, generator(2))

    def loss(sample: Noised, off: float, huber: float) -> float:
        wrong = Velocities(sample.video_velocity, sample.action_velocity + off)
        return flow_matching_losses(wrong, sample, TABLES, huber)[1].item()

    assert loss(from_zeros, 4.0, 0.1) / loss(from_zeros, 2.0, 0.1) == pytest.approx(2, abs=0.1)
    assert loss(from_zeros, 4.0, 0.0) / loss(from_zeros, 2.0, 0.0) == pytest.approx(4)
    assert loss(from_zeros, 1e-3, 0.1) == pytest.approx(loss(from_zeros, 1e-3, 0.0), rel=1e-2)
    assert loss(plain, 2.0, 0.1) == loss(plain, 2.0, 0.0)


def test_pure_starts_are_the_noise_itself_and_ask_for_the_same_video() -> None:
    clean = batch()
    sample = LevelConfig(draws='rollout').draw(clean, CHUNK, generator(1))
    every = with_pure_starts(sample, 1.0, CHUNK, generator(2))
    video, own = every.window.video, slice(1, None)
    assert (video.t[:, own] == 1000).all()
    torch.testing.assert_close(
        (video.noisy - sample.video_velocity)[:, :, own], clean.latent[:, :, own]
    )
    # The first frame of a rollout is known, so nothing starts there.
    assert torch.equal(video.t[:, 0], sample.window.video.t[:, 0])
    assert torch.equal(video.noisy[:, :, 0], sample.window.video.noisy[:, :, 0])
    wrong = Velocities(torch.zeros_like(every.video_velocity), every.action_velocity)
    unweighted = replace(every, pure=None)
    assert flow_matching_losses(wrong, unweighted, TABLES)[0] == 0
    assert flow_matching_losses(wrong, every, TABLES)[0] > 0


def test_actions_of_the_last_chunk_see_what_one_step_imagines() -> None:
    sample = LevelConfig(draws='rollout').draw(batch(), CHUNK, generator(1))
    sample = with_history_noise(sample, TABLES[0], generator(3))
    model = network()
    changed = with_own_imagination(sample, model, CHUNK, generator(2))
    before, after = sample.window.video, changed.window.video
    last, earlier = slice(FRAMES - CHUNK, None), slice(0, FRAMES - CHUNK)
    assert torch.equal(after.clean[:, :, earlier], before.clean[:, :, earlier])
    assert torch.equal(after.t_clean[:, earlier], before.t_clean[:, earlier])
    assert (after.t_clean[:, last] == 0).all()
    # The video to be learned stays as it was; and so do the actions that see no imagination.
    assert torch.equal(after.noisy, before.noisy)
    assert torch.equal(after.t, before.t)
    with torch.no_grad():
        acted, otherwise = model(sample.window).action, model(changed.window).action
    torch.testing.assert_close(acted[:, :, earlier], otherwise[:, :, earlier])
    assert not torch.allclose(acted[:, :, last], otherwise[:, :, last])


def test_imagination_that_is_right_is_the_recording() -> None:
    clean = batch()
    sample = LevelConfig(draws='rollout').draw(clean, CHUNK, generator(1))

    class Knowing(torch.nn.Module):
        def forward(self, window: NoisyWindow) -> Velocities:
            return Velocities(window.video.noisy - clean.latent, sample.action_velocity)

    changed = with_own_imagination(sample, Knowing(), CHUNK, generator(2))
    torch.testing.assert_close(changed.window.video.clean, clean.latent)


def test_timesteps_are_drawn_over_the_whole_table() -> None:
    drawn = draw_timesteps(TABLES[1], 20_000, generator(0))
    assert drawn.mean().item() == pytest.approx(500.5, abs=7)
    assert (drawn.min(), drawn.max()) == (1.0, 1000.0)


def test_a_dropped_prompt_is_the_empty_one() -> None:
    config = TeacherConfig(text_dropout=1.0, history_noise=0.0)
    texts = torch.randn(1, 3, MODEL.text_dim)
    objective = TeacherObjective(config, network(), LevelConfig(), texts)
    other = replace(batch(), text_emb=texts.expand(2, -1, -1))
    losses = [objective.loss('online', b, generator(4)).total.item() for b in (batch(), other)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'name': 'flash_wm'}, "did you mean 'flash_wam'"),
        ({'name': 'flash_wam', 'lambda_rg': 1}, "did you mean 'lambda_reg'"),
        ({'name': 'flash_wam', 'values': 'code'}, 'published_code'),
        ({'name': 'flash_wam', 'end_sigma': 'nul'}, 'end_sigma'),
        ({'name': 'flash_wam', 'ema_decay': float('nan')}, 'ema_decay'),
        ({'name': 'flash_wam', 'guidance_min': 0.5}, 'guidance'),
        ({'name': 'flash_wam', 'student_steps': 0}, 'student_steps'),
        ({'name': 'on_policy', 'teacher_steps': 1}, 'teacher_steps'),
        ({'name': 'on_policy', 'temperature': float('nan')}, 'temperature'),
        ({'name': 'endpoint', 'teacher_steps': 1}, 'teacher_steps'),
        ({'name': 'endpoint', 'temperature': float('nan')}, 'temperature'),
        ({'name': 'endpoint', 'lambda_action': -1.0}, 'lambda_action'),
        ({'name': 'flow_map', 'delta': 0.0}, 'delta'),
        ({'name': 'dmd2', 'fake_updates': 0}, 'fake_updates'),
    ],
)
def test_a_wrong_recipe_is_refused_with_its_remedy(options: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_recipe(**options)


def test_the_paper_and_the_published_code_differ_in_the_regulariser() -> None:
    assert make_recipe('flash_wam').lambda_reg == 0.2
    assert make_recipe('flash_wam', 'published_code').lambda_reg == 0.01


def test_reduced_steps_has_nothing_to_train() -> None:
    with pytest.raises(UserError, match='trains nothing'):
        make_recipe('reduced_steps').objective(network(), SETTING)
