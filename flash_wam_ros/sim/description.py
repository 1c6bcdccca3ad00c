"""One description of the robot for physics, rviz, dashboard and collision model.

Unitree's URDF of the 29-joint G1, with decimated meshes, two parallel grippers in place of the
rubber hands, three cameras, and the joint limits of the layout that the whole project shares.
"""

import hashlib
from pathlib import Path
from typing import Literal, get_args
from xml.etree import ElementTree as ET

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.robots.g1_layout import BODY
from flash_wam_ros.sim.assets import MESH_PACKAGE_URI, find_g1_assets
from flash_wam_ros.sim.cache import cached_folder
from flash_wam_ros.sim.gripper import SIDES, gripper_elements, set_limit
from flash_wam_ros.sim.meshes import decimated_meshes
from flash_wam_ros.sim.mounts import CAMERAS, camera_elements

MeshUri = Literal['file', 'package', 'bare']
URDF_FILE = 'g1.urdf'


def urdf_text(mesh_uri: MeshUri = 'file') -> str:
    """Return the augmented URDF.

    Args:
        mesh_uri: 'file' names the decimated meshes by absolute ``file://`` paths; 'package' names
            the originals by ``package://example-robot-data/...``; 'bare' by file name alone.

    Raises:
        UserError: ``mesh_uri`` is none of these, or the G1's files are not installed.
    """
    if mesh_uri not in get_args(MeshUri):
        raise UserError(
            f'unknown mesh_uri {mesh_uri!r}; {did_you_mean(mesh_uri, get_args(MeshUri))}'
        )
    assets = find_g1_assets()
    robot = ET.parse(assets.urdf).getroot()
    robot.set('name', 'g1')
    _remove_hands(robot)
    for joint in robot.findall('joint'):
        if joint.get('type') == 'revolute':
            set_limit(joint, BODY, str(joint.get('name')))
    for side in SIDES:
        robot.extend(gripper_elements(side))
    for mount in CAMERAS:
        robot.extend(camera_elements(mount))
    prefix = _mesh_prefix(mesh_uri)
    for mesh in robot.iter('mesh'):
        mesh.set('filename', prefix + str(mesh.get('filename')).rsplit('/', 1)[-1])
    ET.indent(robot)
    return '<?xml version="1.0"?>\n' + ET.tostring(robot, encoding='unicode') + '\n'


def build_urdf() -> Path:
    """Return the path of the augmented URDF with ``file://`` meshes, written where it is new."""
    text = urdf_text('file')
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]

    def write(folder: Path) -> None:
        (folder / URDF_FILE).write_text(text, encoding='utf-8')

    return cached_folder(f'g1-urdf-{digest}', write) / URDF_FILE


def mesh_folder() -> Path:
    """Return the folder of the decimated meshes that the description uses."""
    return decimated_meshes(find_g1_assets())


def _mesh_prefix(mesh_uri: MeshUri) -> str:
    if mesh_uri == 'file':
        return f'{mesh_folder().as_uri()}/'
    return f'{MESH_PACKAGE_URI}/' if mesh_uri == 'package' else ''


def _remove_hands(robot: ET.Element) -> None:
    for element in list(robot):
        if '_rubber_hand' in str(element.get('name')) or '_hand_palm' in str(element.get('name')):
            robot.remove(element)
