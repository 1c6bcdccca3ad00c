from importlib.metadata import PackageNotFoundError
from xml.etree import ElementTree as ET

import mujoco
import numpy as np
import pytest

from flash_wam_ros.core import UserError
from flash_wam_ros.robots.g1_layout import BODY, GRIPPER_NAMES, STATE
from flash_wam_ros.sim import assets, description
from flash_wam_ros.sim.assets import find_g1_assets
from flash_wam_ros.sim.cache import CACHE_VARIABLE, cached_folder
from flash_wam_ros.sim.description import build_urdf, mesh_folder, urdf_text
from flash_wam_ros.sim.mounts import CAMERAS
from flash_wam_ros.sim.robot_model import robot_spec

_WEAKER_IN_URDF = ('ankle', 'waist_roll', 'waist_pitch')


def _root(text: str) -> ET.Element:
    return ET.fromstring(text.split('\n', 1)[1])


def test_ranges_and_speeds_of_the_layout_are_those_of_the_makers_urdf():
    joints = {
        str(joint.get('name')): joint.find('limit')
        for joint in ET.parse(find_g1_assets().urdf).getroot().findall('joint')
        if joint.get('type') == 'revolute'
    }
    assert set(joints) == set(BODY.names)
    for slot, name in enumerate(BODY.names):
        limit = joints[name]
        assert float(limit.get('lower')) == pytest.approx(BODY.lower[slot], abs=1e-4)
        assert float(limit.get('upper')) == pytest.approx(BODY.upper[slot], abs=1e-4)
        assert float(limit.get('velocity')) == BODY.velocity[slot]
        if not any(part in name for part in _WEAKER_IN_URDF):
            assert float(limit.get('effort')) == BODY.effort[slot]


def test_the_description_carries_the_layouts_limits():
    joints = {str(j.get('name')): j for j in _root(urdf_text('bare')).findall('joint')}
    for slot, name in enumerate(STATE.names):
        limit = joints[name].find('limit')
        found = [float(limit.get(key)) for key in ('lower', 'upper', 'velocity', 'effort')]
        wanted = [getattr(STATE, key)[slot] for key in ('lower', 'upper', 'velocity', 'effort')]
        np.testing.assert_allclose(found, wanted, rtol=1e-7)


def test_motors_and_joints_of_the_physics_stand_in_the_order_of_the_layout():
    model = robot_spec().compile()
    joints = [model.joint(i).name for i in range(model.njnt)]
    assert [name for name in joints if name in BODY.names] == list(BODY.names)
    motors = [model.actuator(i).name for i in range(model.nu)]
    assert motors == [*BODY.names, *GRIPPER_NAMES]
    for slot, name in enumerate(BODY.names):
        np.testing.assert_allclose(
            model.joint(name).range, (BODY.lower[slot], BODY.upper[slot]), rtol=1e-6
        )
        np.testing.assert_allclose(
            model.actuator(name).forcerange, (-BODY.effort[slot], BODY.effort[slot])
        )


def test_the_standing_robot_weighs_what_the_maker_says_but_for_the_hands():
    original = sum(
        float(mass.get('value')) for mass in ET.parse(find_g1_assets().urdf).getroot().iter('mass')
    )
    model = robot_spec().compile()
    hands = 2 * 0.170
    grippers = 2 * (0.25 + 2 * 0.04)
    assert float(model.body_mass.sum()) == pytest.approx(original - hands + grippers, rel=1e-6)


def test_every_camera_has_a_body_frame_and_an_optical_frame_that_looks_along_it():
    model = robot_spec().compile()
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    for mount in CAMERAS:
        link = data.body(mount.link).xmat.reshape(3, 3)
        optical = data.body(mount.optical_frame).xmat.reshape(3, 3)
        np.testing.assert_allclose(optical[:, 2], link[:, 0], atol=1e-6)
        np.testing.assert_allclose(optical[:, 0], -link[:, 1], atol=1e-6)
        seen = data.cam_xmat[model.camera(mount.name).id].reshape(3, 3)
        np.testing.assert_allclose(-seen[:, 2], optical[:, 2], atol=1e-6)


def test_meshes_named_by_file_exist_and_meshes_named_by_package_are_the_originals():
    names = {mesh.get('filename') for mesh in _root(urdf_text('file')).iter('mesh')}
    assert names
    assert all((mesh_folder() / name.rsplit('/', 1)[1]).is_file() for name in names)
    for mesh in _root(urdf_text('package')).iter('mesh'):
        name = str(mesh.get('filename'))
        assert name.startswith('package://example-robot-data/')
        assert (find_g1_assets().meshes / name.rsplit('/', 1)[1]).is_file()


def test_the_body_is_light_enough_to_render_without_a_gpu():
    model = robot_spec().compile()
    assert model.mesh_facenum.sum() < 40_000


def test_building_the_urdf_twice_gives_one_file_with_the_same_text():
    first, text = build_urdf(), build_urdf().read_text(encoding='utf-8')
    assert build_urdf() == first
    assert text == urdf_text('file')


def test_an_unknown_mesh_uri_names_the_valid_ones():
    with pytest.raises(UserError, match=r"unknown mesh_uri 'files'; did you mean 'file'\?"):
        urdf_text('files')


def test_an_absent_mesh_package_is_one_line_with_the_remedy(monkeypatch):
    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(assets, 'distribution', absent)
    with pytest.raises(UserError, match='pip install example-robot-data') as caught:
        description.urdf_text('bare')
    assert '\n' not in str(caught.value)


def test_a_build_that_fails_leaves_no_cache_entry_behind(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))

    def half(folder):
        (folder / 'part').write_text('half')
        raise KeyError('stopped')

    with pytest.raises(KeyError):
        cached_folder('thing', half)
    assert list(tmp_path.iterdir()) == []


def test_the_second_of_two_builders_keeps_what_the_first_one_made(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))

    def overtaken(folder):
        (folder / 'who').write_text('second')
        first = tmp_path / 'thing'
        first.mkdir()
        (first / 'who').write_text('first')

    assert (cached_folder('thing', overtaken) / 'who').read_text() == 'first'
    assert [path.name for path in tmp_path.iterdir()] == ['thing']
