"""The robot as a MuJoCo specification: the shared URDF plus motors, contacts and cameras."""

import math

import mujoco

from flash_wam_ros.robots.g1_layout import BODY, STATE
from flash_wam_ros.sim.description import mesh_folder, urdf_text
from flash_wam_ros.sim.gripper import SIDES
from flash_wam_ros.sim.mounts import CAMERAS

PELVIS_HEIGHT_M = 0.793
"""Height of the pelvis of the standing G1 [m]."""

# Rotor inertia times gear ratio squared of Unitree's actuators [kg m2], as mjlab derives it
# from the motors' data. A parallel ankle or waist linkage has two of the small ones.
_SMALL, _WRIST, _MEDIUM, _LARGE = 0.003609725, 0.00425, 0.010177520, 0.025101925
_ARMATURE = {
    'hip_pitch': _MEDIUM,
    'hip_roll': _LARGE,
    'hip_yaw': _MEDIUM,
    'knee': _LARGE,
    'ankle': 2 * _SMALL,
    'waist_yaw': _MEDIUM,
    'waist_roll': 2 * _SMALL,
    'waist_pitch': 2 * _SMALL,
    'wrist_pitch': _WRIST,
    'wrist_yaw': _WRIST,
}
_DAMPING = 0.05  # viscous friction of a joint, chosen small [Nms/rad]

# The Dex1-1's inner loop is not public: stiff enough to follow its position command within a
# millimetre, damped near critically for a finger and its share of the motor.
_FINGER_STIFFNESS_N_M = 3000.0
_FINGER_DAMPING_NS_M = 50.0
_FINGER_ARMATURE_KG = 0.2

# Contact bits: world (table, objects), left arm, right arm, trunk. Every group meets the world;
# arms meet each other and the trunk; no group meets itself but the world.
WORLD_BITS = (1, 1)
_LEFT_BITS, _RIGHT_BITS, _TRUNK_BITS = (2, 1), (4, 1 | 2), (8, 1 | 2 | 4)
_DISTAL = ('elbow', 'wrist', 'gripper', 'finger')
_PROXIMAL = 'shoulder'
VISUAL_GROUP, CONTACT_GROUP, LEG_GROUP = 1, 3, 4
"""Groups of shapes: what cameras see, what touches, and legs, which the table hides from them."""
_LEG = ('hip', 'knee', 'ankle')


def robot_spec(free_base: bool = False) -> mujoco.MjSpec:
    """Return the specification of the robot alone, its pelvis at standing height.

    Args:
        free_base: whether the pelvis floats; otherwise it is fixed to the world.
    """
    compiler = (
        f'<mujoco><compiler meshdir="{mesh_folder()}" strippath="true" '
        'discardvisual="false" fusestatic="false"/></mujoco>'
    )
    text = urdf_text('bare').replace('<robot name="g1">', f'<robot name="g1">{compiler}', 1)
    spec = mujoco.MjSpec.from_string(text)
    pelvis = spec.body('pelvis')
    pelvis.pos = [0.0, 0.0, PELVIS_HEIGHT_M]
    if free_base:
        pelvis.add_freejoint(name='floating_base_joint')
    _set_joints(spec)
    _set_contacts(spec, free_base)
    _add_motors(spec)
    for side in SIDES:
        _add_gripper_drive(spec, side)
    _add_imu(spec)
    _add_cameras(spec)
    return spec


def _set_joints(spec: mujoco.MjSpec) -> None:
    for joint in spec.joints:
        if joint.type == mujoco.mjtJoint.mjJNT_FREE:
            continue
        if joint.type == mujoco.mjtJoint.mjJNT_SLIDE:
            joint.armature = _FINGER_ARMATURE_KG
            joint.damping = [0.0] * len(joint.damping)
            continue
        matches = [value for part, value in _ARMATURE.items() if part in joint.name]
        joint.armature = matches[0] if matches else _SMALL
        joint.damping = [_DAMPING] + [0.0] * (len(joint.damping) - 1)


def _bits(body: str, free_base: bool) -> tuple[int, int]:
    if any(part in body for part in _DISTAL):
        return _LEFT_BITS if body.startswith('left') else _RIGHT_BITS
    if _PROXIMAL in body:
        return (0, 0)  # its own trunk is always near; the forearms are what can hit something
    if any(part in body for part in _LEG):
        return WORLD_BITS if free_base and 'ankle_roll' in body else (0, 0)
    return _TRUNK_BITS


def _set_contacts(spec: mujoco.MjSpec, free_base: bool) -> None:
    for mesh in spec.meshes:
        mesh.maxhullvert = 40
    for geom in spec.geoms:
        if geom.contype == 0:
            leg = any(part in geom.parent.name for part in _LEG)
            geom.group = LEG_GROUP if leg else VISUAL_GROUP
            continue
        geom.group = CONTACT_GROUP
        geom.contype, geom.conaffinity = _bits(geom.parent.name, free_base)
        if 'finger' in geom.parent.name:
            geom.condim = 4
            geom.friction = [1.2, 0.02, 0.0005]
            geom.solref = [0.01, 1.0]


def _add_motors(spec: mujoco.MjSpec) -> None:
    for name, effort in zip(BODY.names, BODY.effort, strict=True):
        motor = spec.add_actuator(
            name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT, forcelimited=True
        )
        motor.forcerange = [-effort, effort]
        motor.set_to_motor()


def _add_gripper_drive(spec: mujoco.MjSpec, side: str) -> None:
    """Couple the two fingers and drive their mean travel with a position servo."""
    driven, mimic = f'{side}_gripper_joint', f'{side}_gripper_mimic_joint'
    couple = spec.add_equality(
        name=f'{side}_gripper_mimic', type=mujoco.mjtEq.mjEQ_JOINT, name1=mimic, name2=driven
    )
    couple.objtype = mujoco.mjtObj.mjOBJ_JOINT
    couple.data[:2] = [0.0, 1.0]
    couple.solref = [0.005, 1.0]
    tendon = spec.add_tendon(name=f'{side}_gripper_travel')
    tendon.wrap_joint(driven, 0.5)
    tendon.wrap_joint(mimic, 0.5)
    servo = spec.add_actuator(
        name=driven,
        target=tendon.name,
        trntype=mujoco.mjtTrn.mjTRN_TENDON,
        forcelimited=True,
    )
    # The tendon halves its force on each finger.
    force = 2 * STATE.effort[STATE.index(driven)]
    servo.forcerange = [-force, force]
    servo.set_to_position(kp=2 * _FINGER_STIFFNESS_N_M, kv=2 * _FINGER_DAMPING_NS_M)


def _add_imu(spec: mujoco.MjSpec) -> None:
    spec.body('imu_in_pelvis').add_site(name='imu')
    for name, kind in (
        ('imu_quaternion', mujoco.mjtSensor.mjSENS_FRAMEQUAT),
        ('imu_gyro', mujoco.mjtSensor.mjSENS_GYRO),
        ('imu_accelerometer', mujoco.mjtSensor.mjSENS_ACCELEROMETER),
    ):
        spec.add_sensor(name=name, type=kind, objtype=mujoco.mjtObj.mjOBJ_SITE, objname='imu')


def _add_cameras(spec: mujoco.MjSpec) -> None:
    for mount in CAMERAS:
        camera = spec.body(mount.optical_frame).add_camera(name=mount.name)
        camera.fovy = math.degrees(mount.fovy_rad)
        camera.quat = [0.0, 1.0, 0.0, 0.0]  # MuJoCo looks along -z with y up, optics along +z
