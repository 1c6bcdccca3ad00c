"""Watchdogs on effort, supply, grippers, legs, remote, motion service and policy."""

import dataclasses

import numpy as np
import pytest
from rig import PLANT

from flash_wam_ros.core import RobotState, UserError
from flash_wam_ros.robots import remote as robots_remote
from flash_wam_ros.robots.g1_layout import ARM_SDK
from flash_wam_ros.safety import ControllerConfig
from flash_wam_ros.safety.losses import Loss, Reaction, strictest
from flash_wam_ros.safety.robot_watch import (
    BUTTONS,
    FsmWatch,
    GripperWatch,
    PolicyWatch,
    RemoteWatch,
    SupplyWatch,
    TorqueWatch,
    WalkWatch,
)
from flash_wam_ros.safety.watch import Watch

MS = 1_000_000
CONFIG = ControllerConfig()


def state(at_ns=1 * MS, tick=1, **changes):
    made = RobotState(
        received_mono_ns=at_ns,
        tick=tick,
        q=np.zeros(29),
        dq=np.zeros(29),
        tau=np.zeros(29),
        gripper_q=np.zeros(2),
        gripper_received_mono_ns=(at_ns, at_ns),
        mode_machine=5,
    )
    return dataclasses.replace(made, **changes)


def at_slot(slot, value):
    values = np.zeros(29)
    values[slot] = value
    return values


@pytest.mark.parametrize('sign', [1, -1])
@pytest.mark.parametrize('slot', [12, 20, 27])
def test_a_torque_beyond_its_share_of_the_effort_for_too_long_is_a_fault(slot, sign):
    most = CONFIG.torque_fraction * ARM_SDK.effort[slot - 12]
    watch = TorqueWatch(CONFIG, PLANT)
    watch.observe(state(tau=at_slot(slot, sign * most)), 0)
    assert watch.fault(10_000 * MS) is None
    watch.observe(state(tau=at_slot(slot, sign * most * 1.001)), 0)
    assert watch.fault(500 * MS) is None
    assert PLANT.state.names[slot] in watch.fault(501 * MS)
    watch.observe(state(tau=at_slot(slot, sign * most * 1.001)), 700 * MS)
    assert 'for 0.80 s' in watch.fault(800 * MS)
    watch.observe(state(), 800 * MS)
    assert watch.fault(900 * MS) is None


def test_a_torque_that_is_not_finite_is_beyond_any_limit_and_legs_are_not_ours():
    watch = TorqueWatch(CONFIG, PLANT)
    watch.observe(None, 0)
    assert watch.fault(9000 * MS) is None
    watch.observe(state(tau=at_slot(3, 999.0)), 0)
    assert watch.fault(9000 * MS) is None
    watch.observe(state(tau=at_slot(28, np.nan)), 0)
    assert 'right_wrist_yaw_joint' in watch.fault(501 * MS)


def test_each_torque_is_timed_on_its_own():
    watch = TorqueWatch(CONFIG, PLANT)
    watch.observe(state(tau=at_slot(20, 99.0)), 0)
    watch.observe(state(tau=at_slot(21, 99.0)), 400 * MS)
    assert watch.fault(600 * MS) is None
    assert PLANT.state.names[21] in watch.fault(901 * MS)


def test_a_low_supply_for_too_long_is_a_fault_and_one_that_is_not_told_is_not():
    watch = SupplyWatch(CONFIG)
    watch.observe(None, 0)
    watch.observe(state(), 0)
    assert watch.fault(10_000 * MS) is None
    watch.observe(state(supply_v=40.0), 0)
    assert watch.fault(10_000 * MS) is None
    watch.observe(state(supply_v=39.9), 100 * MS)
    watch.observe(state(supply_v=39.0), 500 * MS)
    assert watch.fault(1100 * MS) is None
    assert '39.0 V' in watch.fault(1101 * MS)
    watch.observe(state(supply_v=50.0), 1200 * MS)
    assert watch.fault(9000 * MS) is None


@pytest.mark.parametrize('silent', [0, 1])
def test_a_gripper_that_falls_silent_is_named_unless_none_is_used(silent):
    seen = [2000 * MS, 2000 * MS]
    seen[silent] = 1000 * MS
    told = state(gripper_received_mono_ns=tuple(seen))
    watch = GripperWatch(CONFIG, PLANT)
    assert watch.fault(None, 0) is None
    assert watch.fault(told, 2000 * MS) is None
    found = watch.fault(told, 2001 * MS)
    assert PLANT.grippers[silent] in found
    assert found.endswith('start the gripper service, or set use_grippers to false')
    never = state(gripper_received_mono_ns=(0, 0))
    assert PLANT.grippers[0] in watch.fault(never, 1 * MS)
    unused = GripperWatch(ControllerConfig(use_grippers=False), PLANT)
    assert unused.fault(never, 9000 * MS) is None


def walk(watch, speed, seconds, start_ms=0, slot=3):
    """Let a leg joint swing at ``speed`` and return the last fault."""
    for number in range(round(seconds / 0.002)):
        at = round((start_ms + 2 * number) * MS)
        watch.observe(state(at, number, dq=at_slot(slot, speed * (-1) ** (number // 100))))
    return watch.fault()


def test_swinging_legs_are_walking_and_a_twitch_or_an_arm_is_not():
    assert walk(WalkWatch(CONFIG, PLANT), 2.0, 1.0) is not None
    assert walk(WalkWatch(CONFIG, PLANT), 2.0, 0.05) is None
    assert walk(WalkWatch(CONFIG, PLANT), 0.79, 5.0) is None
    assert walk(WalkWatch(CONFIG, PLANT), 5.0, 1.0, slot=20) is None
    assert walk(WalkWatch(CONFIG, PLANT), 0.9, 3.0, slot=11) is not None


def test_walking_ends_a_moment_after_the_legs_stand():
    watch = WalkWatch(CONFIG, PLANT)
    assert 'walks' in walk(watch, 2.0, 1.0)
    watch.observe(None)
    assert watch.fault() is not None
    assert walk(watch, 0.0, 0.6, start_ms=1000) is None


def test_a_sample_seen_twice_counts_once():
    once, twice = WalkWatch(CONFIG, PLANT), WalkWatch(CONFIG, PLANT)
    for number in range(40):
        sample = state(2 * MS * number, number, dq=at_slot(3, 3.0))
        once.observe(sample)
        twice.observe(sample)
        twice.observe(sample)
    assert (once.fault() is None) == (twice.fault() is None)
    assert once._speed_rad_s == pytest.approx(twice._speed_rad_s)


def remote(*names):
    data = bytearray(40)
    for name in names:
        byte, bit = BUTTONS[name]
        data[byte] |= bit
    return bytes(data)


@pytest.mark.parametrize(
    ('held', 'bites'), [(('L2', 'B'), True), (('L2',), False), (('B', 'R1'), False), ((), False)]
)
def test_the_stop_buttons_of_the_remote_count_together(held, bites):
    watch = RemoteWatch(CONFIG)
    assert watch.fault(None) is None
    assert (watch.fault(state(remote=remote(*held))) is not None) is bites


def test_the_stop_button_can_be_chosen_and_an_unknown_one_is_refused():
    watch = RemoteWatch(ControllerConfig(stop_buttons='F1'))
    assert 'F1' in watch.fault(state(remote=remote('F1')))
    assert watch.fault(state(remote=remote('L2', 'B'))) is None
    with pytest.raises(UserError, match='F2'):
        RemoteWatch(ControllerConfig(stop_buttons='L2 + F2'))


def test_buttons_stand_where_the_robots_own_decoder_finds_them():
    assert set(BUTTONS) == robots_remote.BUTTONS
    for name in BUTTONS:
        assert robots_remote.decode_remote(remote(name)).pressed == {name}


@pytest.mark.parametrize(
    ('fsm', 'bites'), [(0, True), (1, True), (-1, False), (3, False), (500, False)]
)
def test_a_limp_robot_is_a_fault_and_an_untold_state_is_not(fsm, bites):
    assert (FsmWatch.fault(state(fsm_id=fsm)) is not None) is bites
    assert FsmWatch.fault(None) is None


def test_the_policy_is_silent_until_its_first_chunk_and_after_its_deadline():
    watch = PolicyWatch(CONFIG)
    assert 'no usable chunk' in watch.fault(0)
    watch.beat(0)
    assert watch.fault(3000 * MS) is None
    assert '3.0 s' in watch.fault(3001 * MS)
    watch.beat(3001 * MS)
    assert watch.fault(3002 * MS) is None


def test_refused_chunks_are_named_until_one_is_accepted():
    watch = PolicyWatch(CONFIG)
    watch.fail('too old')
    watch.fail('not finite')
    assert watch.fault(0).endswith('; 2 refused since the last one, the newest: not finite')
    watch.beat(0)
    assert watch.refusals == ''
    assert watch.fault(4000 * MS).endswith('limit 3.0 s')
    watch.fail('too old')
    assert watch.refusals == '; 1 refused since the last one, the newest: too old'


def test_the_strictest_loss_wins_and_of_equal_ones_the_first():
    mild = Loss(Reaction.SLOW, 'a')
    stops = [Loss(Reaction.STOP, 'b'), Loss(Reaction.STOP, 'c')]
    drop = Loss(Reaction.DROP, 'd')
    assert strictest([]) is None
    assert strictest([mild, *stops]) is stops[0]
    assert strictest([mild, *stops, drop]) is drop
    assert sorted(Reaction) == [
        Reaction.SLOW,
        Reaction.HOLD,
        Reaction.PARK,
        Reaction.STOP,
        Reaction.DROP,
    ]


# What the line of a loss says of its source -> the source.
WORDS = {
    'lowstate': 'lowstate',
    'FSM': 'fsm',
    'degC': 'health',
    'handheld remote': 'remote',
    'operator': 'operator',
    'control loop': 'loop',
    'other writer': 'writers',
    'torque estimate': 'torque',
    'no fresh state of': 'grippers',
    'walks': 'walking',
    'battery': 'battery',
}


def sources(losses):
    """Return source -> reaction of what a watch found."""
    return {
        next(source for words, source in WORDS.items() if words in loss.text): loss.reaction
        for loss in losses
    }


def seen(config=CONFIG, writers=0, **changes):
    """Return source -> reaction of what a watch finds in one state."""
    watch = Watch(config, PLANT)
    told = state(1000 * MS, **changes)
    watch.observe(1000 * MS, told, writers)
    watch.lowstate.observe(told, None, 1000 * MS)
    watch.heartbeat.beat(True, 1000 * MS)
    return sources(watch.losses(1000 * MS))


def test_a_watch_finds_nothing_wrong_with_a_robot_that_is_well():
    assert seen() == {}


def test_each_source_has_the_reaction_that_is_documented():
    assert seen(writers=1) == {'writers': Reaction.STOP}
    assert seen(fsm_id=1) == {'fsm': Reaction.DROP}
    assert seen(remote=remote('L2', 'B')) == {'remote': Reaction.STOP}
    assert seen(temperature=np.full(29, 99.0)) == {'health': Reaction.STOP}
    assert seen(gripper_received_mono_ns=(0, 0)) == {'grippers': Reaction.STOP}
    assert seen(q=at_slot(3, np.nan)) == {'lowstate': Reaction.STOP}


def test_a_watch_that_has_seen_nothing_misses_robot_and_operator():
    watch = Watch(CONFIG, PLANT)
    assert sources(watch.losses(0)).keys() == {'lowstate', 'operator'}
    watch.observe(0, None, 0)
    assert sources(watch.losses(0)).keys() == {'lowstate', 'operator'}


@pytest.mark.parametrize(
    ('when', 'reaction'), [('stop', Reaction.STOP), ('reduced', Reaction.SLOW)]
)
def test_walking_stops_or_slows_as_configured(when, reaction):
    watch = Watch(ControllerConfig(when_walking=when), PLANT)
    for number in range(1, 400):
        told = state(number * 2 * MS, number, dq=at_slot(3, 3.0))
        watch.observe(number * 2 * MS, told, 0)
        watch.lowstate.observe(told, None, number * 2 * MS)
        watch.heartbeat.beat(True, number * 2 * MS)
    assert sources(watch.losses(798 * MS)) == {'walking': reaction}


def test_overload_and_low_supply_come_through():
    watch = Watch(CONFIG, PLANT)
    for at in (1000, 2100):
        told = state(at * MS, at, tau=at_slot(20, 99.0), supply_v=20.0)
        watch.observe(at * MS, told, 0)
        watch.lowstate.observe(told, None, at * MS)
        watch.heartbeat.beat(True, at * MS)
    found = sources(watch.losses(2100 * MS))
    assert found['torque'] is Reaction.STOP
    assert found['battery'] is Reaction.PARK


def test_a_pause_of_the_loop_comes_through_and_the_clock_is_watched():
    watch = Watch(CONFIG, PLANT)
    for at in (1000, 1300):
        told = state(at * MS, at)
        watch.observe(at * MS, told, 0)
        watch.lowstate.observe(told, None, at * MS)
        watch.heartbeat.beat(True, at * MS)
    (loss,) = watch.losses(1300 * MS)
    assert sources([loss]) == {'loop': Reaction.STOP}
    assert 'paused for 0.300 s' in loss.text
    assert watch.clock.observe(0, 10**18) is None
    assert 'jumped' in watch.clock.observe(0, 2 * 10**18)
    assert 'no usable chunk' in watch.policy.fault(0)
