"""The counted multiply-adds and passes are those that a session really does."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from wam_worlds import Episode, play, random_model, rounds, small_config

from flash_wam_ros.wam.benchmark import Bench, Case
from flash_wam_ros.wam.costs import chunk_cost
from flash_wam_ros.wam.presets import SIZES, preset
from flash_wam_ros.wam.session import WamSession
from flash_wam_ros.wam.transformer import WorldActionTransformer

WORDS = 5
"""Text positions of an Episode."""


@pytest.mark.parametrize('plan', ['fused', 'reference'])
@pytest.mark.parametrize('guidance', [(1.0, 1.0), (5.0, 1.0), (5.0, 2.0)])
@pytest.mark.parametrize('chunks', [0, 1, 5])
def test_counted_multiply_adds_are_those_of_the_products_that_run(
    plan: str, guidance: tuple[float, float], chunks: int
) -> None:
    config = small_config(
        window=6, guidance=guidance, video_steps=2, action_steps=3, rows=2, columns=2
    )
    session, episode = WamSession(random_model(), config, plan=plan), Episode(config)
    play(session, episode, [*rounds(chunks), 'imagine'])
    before = session.passes
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        session.observe(*episode.observation(chunks))
        session.imagine_and_act()
    cost = chunk_cost(config, plan, min(chunks, 3), WORDS, 0, 4)
    assert cost.passes == session.passes - before
    assert cost.macs == counter.get_total_flops() // 2


def test_a_chunk_of_the_published_server_has_79_passes_and_of_the_student_2() -> None:
    teacher = preset('robotwin')
    assert chunk_cost(teacher, 'reference', 0, 512, 0, 2).passes == 79
    student = Case(
        plan='fused', video_steps=1, action_steps=1, guidance=1.0, fill=0.0, repeats=1
    ).configure(teacher)
    assert chunk_cost(student, 'fused', 0, 512, 0, 2).passes == 2


def test_an_empty_cache_lets_the_fused_plan_save_a_third_of_the_published_size() -> None:
    """The text's keys and values, and a pass, at the full size and RoboTwin's tokens."""
    student = Case(
        plan='fused', video_steps=1, action_steps=1, guidance=1.0, fill=0.0, repeats=1
    ).configure(preset('robotwin'))
    macs = {plan: chunk_cost(student, plan, 0, 512, 0, 2).macs for plan in ('reference', 'fused')}
    assert macs['reference'] / macs['fused'] > 1.5


@pytest.mark.parametrize('fill', [0.0, 0.5, 1.0])
def test_a_timed_chunk_runs_at_the_fill_it_names(fill: float) -> None:
    config = preset('libero', 'micro')
    model = WorldActionTransformer(SIZES['micro']).requires_grad_(False)
    bench = Bench(model, config)
    cases = [
        Case(plan=plan, video_steps=1, action_steps=1, guidance=1.0, fill=fill, repeats=1)
        for plan in ('reference', 'fused')
    ]
    for case in cases:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            seconds, passes = bench.time(case)
        # Beginning an episode embeds the text, in the fused plan alone, and the timesteps.
        whole = counter.get_total_flops() // 2
        assert 0 <= whole - bench.cost(case).macs < 0.3 * whole
        assert seconds > 0
        assert passes == bench.cost(case).passes
    assert torch.get_default_dtype() == torch.float32
