import numpy as np
import pytest
from sim_harness import REPLAN_S, run_expert

from flash_wam_ros.core import UserError
from flash_wam_ros.robots.g1_layout import POLICY
from flash_wam_ros.sim.experts import make_expert
from flash_wam_ros.sim.experts.arms import Arms
from flash_wam_ros.sim.experts.expert import POINT_S
from flash_wam_ros.sim.experts.hands import azimuth, backed, hold, raised
from flash_wam_ros.sim.posture import ready_arms
from flash_wam_ros.sim.robot_model import PELVIS_HEIGHT_M
from flash_wam_ros.sim.scene import TABLE_TOP_M
from flash_wam_ros.sim.tasks import TASKS, pink_to_target, pot_potato, red_bottle
from flash_wam_ros.sim.world import World, WorldConfig

# The torso's frame stands this high over the pelvis's (Unitree's URDF, waist at zero).
TORSO_M = 0.044
TABLE_M = TABLE_TOP_M - PELVIS_HEIGHT_M - TORSO_M
REACH_M, REACH_RAD = 0.006, 0.05
MAX_RAD_S, MAX_RAD_S2 = 1.5, 12.0

# side, area, heights of the grasp point over the table: taken, and lifted or let go
PLACES = {
    'red bottle': ('right', red_bottle.RED_AREA, (0.075, 0.195)),
    'pink object': ('right', pink_to_target.PINK_AREA, (0.045, 0.125)),
    'mark': ('right', pink_to_target.SPOT_AREA, (0.05, 0.10)),
    'potato': ('right', pot_potato.POTATO_AREA, (0.029, 0.149)),
    'pot, right hand': ('right', pot_potato.POT_AREA, (0.10, 0.155)),
    'pot, left hand': ('left', pot_potato.POT_AREA, (0.114, 0.164)),
}


@pytest.fixture(scope='module')
def arms():
    return Arms()


@pytest.mark.parametrize('what', PLACES)
def test_every_corner_of_every_area_is_in_reach(arms, what):
    side, area, heights = PLACES[what]
    for x, y in area.grid(4):
        for height in heights:
            grasp = hold(np.array([x, y, TABLE_M + height]), azimuth(side, y))
            for pose in (grasp, backed(grasp, 0.09)) if height == heights[0] else (grasp,):
                reach = arms.reach({side: pose}, ready_arms(), ready_arms())
                place = f'{what} at ({x:.2f}, {y:.2f}), {height} m over the table'
                assert reach.error_m < REACH_M, place
                assert reach.error_rad < REACH_RAD, place


def test_solutions_stay_inside_the_joint_limits_and_move_one_arm_only(arms):
    for x, y in red_bottle.RED_AREA.grid(3):
        pose = hold(np.array([x, y, TABLE_M + 0.1]), azimuth('right', y))
        q = arms.reach({'right': pose}, ready_arms(), ready_arms()).q
        assert np.all(q > POLICY.lower[:14])
        assert np.all(q < POLICY.upper[:14])
        np.testing.assert_allclose(q[:7], ready_arms()[:7], atol=1e-3)


def test_forward_kinematics_agrees_with_the_world(arms):
    world = World(WorldConfig(task='red_bottle'))
    world.reset(3)
    torso = world.data.body('torso_link')
    q = world.state().q[15:]
    for side in ('left', 'right'):
        offset = world.data.body(f'{side}_grasp').xpos - torso.xpos
        seen = torso.xmat.reshape(3, 3).T @ offset
        np.testing.assert_allclose(arms.hand(side, q).translation(), seen, atol=1e-6)


def test_the_weight_of_the_arms_is_what_holds_them_in_the_world(arms):
    world = World(WorldConfig(task='red_bottle'))
    world.reset(3)
    names = POLICY.names[:14]
    slots = [world.model.joint(name).dofadr[0] for name in names]
    np.testing.assert_allclose(
        arms.weight(world.state().q[15:]), world.data.qfrc_bias[slots], atol=1e-6
    )


def test_backing_moves_against_the_fingers_and_raising_straight_up():
    pose = hold(np.array([0.3, -0.2, 0.1]), 0.4, 0.5)
    fingers = pose.rotation().as_matrix()[:, 0]
    np.testing.assert_allclose(pose.translation() - backed(pose, 0.1).translation(), 0.1 * fingers)
    assert fingers[2] == pytest.approx(-np.sin(0.5))
    step = raised(pose, np.array([0.0, 0.0, 0.2])).translation() - pose.translation()
    np.testing.assert_allclose(step, (0.0, 0.0, 0.2))


def test_the_first_plan_starts_where_the_robot_was_told_to_be():
    world = World(WorldConfig(task='red_bottle'))
    world.reset(2)
    expert = make_expert('red_bottle')
    q = np.concatenate([world.state().q[15:], world.state().gripper_q])
    times_s, plan = expert.plan(q, q, world.objects())
    assert plan.shape == (len(times_s), len(POLICY))
    assert times_s[0] == pytest.approx(POINT_S)
    assert times_s[-1] >= 2 * REPLAN_S
    np.testing.assert_allclose(np.diff(times_s), POINT_S)
    assert np.abs(plan[0] - q).max() < 0.01
    assert np.all(plan >= POLICY.lower)
    assert np.all(plan <= POLICY.upper)


def test_reset_forgets_the_episode_before():
    world = World(WorldConfig(task='pink_to_target'))
    expert = make_expert('pink_to_target')
    first = run_expert(world, expert, 5, limit_s=2.0)
    run_expert(world, expert, 6, limit_s=1.0)
    again = run_expert(world, expert, 5, limit_s=2.0)
    np.testing.assert_array_equal(first.trail, again.trail)


def test_a_dropped_bottle_is_taken_again():
    world = World(WorldConfig(task='red_bottle'))
    expert = make_expert('red_bottle')
    dropped = []
    step = world.step

    def robbed(targets):
        step(targets)
        lifted = world.data.body('red_bottle').xpos[2] - TABLE_TOP_M
        if not dropped and lifted > 0.05:
            joint = world.model.body('red_bottle').jntadr[0]
            start = world.model.jnt_qposadr[joint]
            world.data.qpos[start : start + 7] = (0.36, -0.12, TABLE_TOP_M + 0.001, 1, 0, 0, 0)
            dropped.append(world.time_ns)

    world.step = robbed
    run = run_expert(world, expert, 1000)
    assert dropped
    assert run.outcome.success, run.outcome.reason


@pytest.mark.slow
@pytest.mark.parametrize('task', TASKS)
def test_an_expert_does_its_task_smoothly(task):
    world = World(WorldConfig(task=task))
    expert = make_expert(task)
    for seed in (1000, 1001, 1002):
        run = run_expert(world, expert, seed)
        assert run.outcome.success, f'seed {seed}: {run.outcome.reason}'
        assert run.fastest_rad_s < MAX_RAD_S
        assert run.steepest_rad_s2 < MAX_RAD_S2


@pytest.mark.slow
@pytest.mark.parametrize('latency_s', [0.04, 0.2])
def test_an_expert_tolerates_the_latency_of_the_stack(latency_s):
    world = World(WorldConfig(task='red_bottle'))
    run = run_expert(world, make_expert('red_bottle'), 1003, latency_s=latency_s)
    assert run.outcome.success, run.outcome.reason


def test_a_task_without_an_expert_names_those_that_have_one():
    with pytest.raises(UserError, match=r"no expert for task 'red_botle'; did you mean"):
        make_expert('red_botle')
