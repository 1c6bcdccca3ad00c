import sysconfig
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from flash_wam_ros.robots import g1_layout as g1

URDF_FOLDER = Path(
    sysconfig.get_paths()['purelib'],
    'cmeel.prefix/share/example-robot-data/robots/g1_description/urdf',
)


def test_layouts_have_the_joint_order_of_the_sdk_index_table():
    assert [len(g1.BODY), len(g1.ARM_SDK), len(g1.POLICY), len(g1.STATE)] == [29, 17, 16, 31]
    for name, slot in {
        'left_hip_pitch_joint': 0,
        'left_knee_joint': 3,
        'right_hip_pitch_joint': 6,
        'right_ankle_roll_joint': 11,
        'waist_yaw_joint': 12,
        'waist_pitch_joint': 14,
        'left_shoulder_pitch_joint': 15,
        'left_elbow_joint': 18,
        'left_wrist_yaw_joint': 21,
        'right_shoulder_pitch_joint': 22,
        'right_wrist_yaw_joint': 28,
    }.items():
        assert g1.BODY.index(name) == slot


def test_sub_layouts_are_slices_of_the_whole():
    assert g1.BODY.select(g1.BODY.names[12:]) == g1.ARM_SDK
    assert g1.STATE.select(g1.STATE.names[15:]) == g1.POLICY
    assert g1.STATE.names[:29] == g1.BODY.names
    assert g1.GRIPPER_NAMES == ('left_gripper_joint', 'right_gripper_joint')


def test_the_right_side_mirrors_the_left():
    for slot, name in enumerate(g1.BODY.names):
        if not name.startswith('left'):
            continue
        twin = g1.BODY.index(name.replace('left', 'right'))
        assert g1.BODY.effort[slot] == g1.BODY.effort[twin]
        assert g1.BODY.velocity[slot] == g1.BODY.velocity[twin]
        limits = (g1.BODY.lower[slot], g1.BODY.upper[slot])
        if 'roll' in name and ('hip' in name or 'shoulder' in name):
            limits = (-limits[1], -limits[0])
        assert (g1.BODY.lower[twin], g1.BODY.upper[twin]) == limits


def test_names_ranges_and_speeds_are_those_of_the_robots_urdf():
    urdf = URDF_FOLDER / 'g1_29dof_with_hand_rev_1_0.urdf'
    joints = {joint.get('name'): joint for joint in ElementTree.parse(urdf).findall('joint')}
    for slot, name in enumerate(g1.BODY.names):
        limit = joints[name].find('limit')
        assert g1.BODY.lower[slot] == pytest.approx(float(limit.get('lower')), abs=1e-4)
        assert g1.BODY.upper[slot] == pytest.approx(float(limit.get('upper')), abs=1e-4)
        assert g1.BODY.velocity[slot] == float(limit.get('velocity'))


def test_dex1_angle_and_finger_travel_are_inverse_and_full_stroke_is_nine_centimetres():
    travel = np.linspace(0, 0.045, 7)
    np.testing.assert_allclose(
        g1.finger_m_from_dex1_rad(g1.dex1_rad_from_finger_m(travel)), travel, atol=1e-15
    )
    assert 2 * g1.finger_m_from_dex1_rad(5.4) == pytest.approx(0.09)


def test_default_gains_cover_the_arm_sdk_joints_and_cannot_be_changed_in_place():
    assert g1.ARM_KP.shape == g1.ARM_KD.shape == (17,)
    assert (g1.ARM_KP[3], g1.ARM_KD[3], g1.ARM_KP[7], g1.ARM_KD[7]) == (80, 3, 40, 1.5)
    with pytest.raises(ValueError, match='read-only'):
        g1.ARM_KP[0] = 0
