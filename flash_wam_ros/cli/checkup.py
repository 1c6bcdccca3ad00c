"""The checks of ``flash-wam doctor``: each says what it found and how to mend it."""

import glob
import importlib.metadata
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flash_wam_ros.bringup.paths import share_dir
from flash_wam_ros.bringup.processes import BringupConfig, environment
from flash_wam_ros.core import UserError
from flash_wam_ros.robots.domains import check_dds, ros_domain

DOMAIN_DEFAULT = -1
_NEEDED = {
    'numpy': 'base',
    'rclpy': 'ros',
    'unitree_sdk2py': 'robot',
    'cyclonedds': 'robot',
    'pinocchio': 'robot',
    'ruckig': 'robot',
    'cv2': 'robot',
    'torch': 'model',
    'mujoco': 'sim',
}
_SHM_MIB = 64
_LISTEN_S = 3.0
_GL_PROGRAM = (
    'import mujoco; m = mujoco.MjModel.from_xml_string("<mujoco/>"); '
    'r = mujoco.Renderer(m, 16, 16); r.close()'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One check.

    Attributes:
        what: what was checked.
        verdict: ``ok``, ``note`` (no fault, but worth knowing) or ``fault``.
        found: what was found.
        fix: how to mend it, '' where nothing is to be mended.
    """

    what: str
    verdict: str
    found: str
    fix: str = ''


def _ok(what: str, found: str) -> Finding:
    return Finding(what=what, verdict='ok', found=found)


def _fault(what: str, found: str, fix: str) -> Finding:
    return Finding(what=what, verdict='fault', found=found, fix=fix)


def _note(what: str, found: str, fix: str = '') -> Finding:
    return Finding(what=what, verdict='note', found=found, fix=fix)


def check_python() -> Finding:
    """Check the version of Python."""
    version = '.'.join(map(str, sys.version_info[:3]))
    if (3, 10) <= sys.version_info[:2] <= (3, 12):
        return _ok('Python', f'{version} in {sys.prefix}')
    return _fault('Python', version, 'use Python 3.10, 3.11 or 3.12: FLASH_WAM_PYTHON=python3.11')


def check_packages(robot: str) -> Iterator[Finding]:
    """Check that what the robot or the simulator needs can be imported."""
    for name, group in _NEEDED.items():
        if group == 'sim' and robot != 'sim':
            continue
        done = _python(f'import {name}')
        if done.returncode == 0:
            yield _ok(name, _version(name))
            continue
        words = (done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]
        fix = f'pip install -r requirements/{group}.txt'
        if group == 'ros' and 'RMW_IMPLEMENTATION' in os.environ:
            fix = f'unset RMW_IMPLEMENTATION, or {fix}'
        yield _fault(name, f'does not load ({words[:80]})', fix)


def _python(program: str) -> 'subprocess.CompletedProcess[str]':
    """Run ``program`` in a process of its own: a broken library may end or crash it."""
    return subprocess.run(
        [sys.executable, '-c', program],
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _version(module: str) -> str:
    packages = importlib.metadata.packages_distributions().get(module, [])
    return importlib.metadata.version(packages[0]) if packages else 'found'


def check_ros() -> Finding:
    """Check the middleware and the profile that the processes will run with."""
    ours = environment()
    rmw = ours['RMW_IMPLEMENTATION']
    if 'cyclonedds' in rmw:
        return _fault(
            'ROS middleware',
            f'{rmw} cannot share a process with the Unitree SDK',
            'export RMW_IMPLEMENTATION=rmw_fastrtps_cpp',
        )
    profile = ours['FASTRTPS_DEFAULT_PROFILES_FILE']
    if not os.path.isfile(profile):
        return _fault('DDS profile', f'{profile} is missing', 'install the package again')
    release = os.environ.get('ROS_DISTRO', 'from wheels')
    return _ok('ROS middleware', f'{rmw}, ROS {release}, profile {os.path.basename(profile)}')


def check_domains(config: BringupConfig) -> Finding:
    """Check that ROS and the robot's SDK are on domains that cannot meet."""
    try:
        check_dds(
            sdk_domain=config.sdk_domain,
            interface=config.interface,
            simulated=config.robot == 'sim',
        )
    except UserError as error:
        said, _, fix = str(error).partition('; ')
        return _fault('DDS domains', said, fix)
    return _ok(
        'DDS domains',
        f'SDK {config.sdk_domain} on {config.interface}, ROS {ros_domain(os.environ)}',
    )


def check_memory() -> Finding:
    """Check the space for pictures between processes."""
    try:
        free_mib = shutil.disk_usage('/dev/shm').free // 2**20
    except OSError:
        return _fault('shared memory', '/dev/shm is missing', 'mount -t tmpfs tmpfs /dev/shm')
    if free_mib < _SHM_MIB:
        return _fault(
            'shared memory',
            f'{free_mib} MiB free in /dev/shm, {_SHM_MIB} needed',
            'mount -o remount,size=512m /dev/shm, or docker run --shm-size=512m',
        )
    return _ok('shared memory', f'{free_mib} MiB free')


def check_gl() -> Finding:
    """Check off-screen rendering."""
    done = _python(_GL_PROGRAM)
    if done.returncode == 0:
        return _ok('GL', 'off-screen rendering works')
    lines = done.stderr.strip().splitlines() or ['it crashed']
    return _fault(
        'GL',
        f'no off-screen rendering ({lines[-1][:80]})',
        'apt-get install -y libegl1 libegl-mesa0 libgl1-mesa-dri',
    )


def check_cameras() -> Finding:
    """Check that there is a camera device and that it may be read."""
    devices = sorted(glob.glob('/dev/video*'))
    if not devices:
        return _fault('cameras', 'no /dev/video*', 'plug a camera in, or use cameras:=realsense')
    closed = [device for device in devices if not os.access(device, os.R_OK)]
    if closed:
        return _fault('cameras', f'{closed[0]} may not be read', 'sudo usermod -aG video $USER')
    return _ok('cameras', ', '.join(devices))


def check_robot(config: BringupConfig) -> Finding:
    """Check that the robot is heard, and that nobody else commands it."""
    from flash_wam_ros.robots.sdk.g1_port import G1Port

    try:
        with G1Port(config.sdk_domain, config.interface) as port:
            deadline_s = time.monotonic() + _LISTEN_S
            while port.read() is None and time.monotonic() < deadline_s:
                time.sleep(0.01)
            state, writers = port.read(), port.other_writers()
    except UserError as error:
        said, _, fix = str(error).partition('; ')
        return _fault('robot', said, fix)
    if state is None:
        fix = 'switch it on, and check cable and address (192.168.123.x)'
        return _fault('robot', f'no lowstate within {_LISTEN_S:g} s on {config.interface}', fix)
    if writers:
        return _fault(
            'robot', f'{writers} other programs command rt/arm_sdk', 'stop them before arming'
        )
    return _ok('robot', f'heard, mode_machine {state.mode_machine}, nobody commands the arms')


def check_models() -> Finding:
    """Check that the model that ships is there."""
    models = sorted(path.name for path in (share_dir() / 'models').glob('*') if path.is_dir())
    if models:
        return _ok('models', ', '.join(models))
    return _note('models', 'none ships with this checkout', 'give --model, or use --policy expert')


def check_cores() -> Finding:
    """Check how many cores there are; the simulated stack needs two."""
    cores = len(os.sched_getaffinity(0))
    if cores >= 2:
        return _ok('processor', f'{cores} cores')
    return _note('processor', f'{cores} core', 'the simulator will not keep real time')


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """Return what ``check`` finds; a check that breaks is a fault of its own."""
    try:
        return check()
    except Exception as error:
        found = f'the check broke ({type(error).__name__}: {error})'
        return _fault(name, found, 'please report it')


def examine(robot: str, interface: str, domain: int) -> Iterator[Finding]:
    """Yield the findings for ``robot``, one after the other."""
    config = BringupConfig(
        robot=robot,
        policy='none',
        network_interface=interface or ('lo' if robot == 'sim' else ''),
        domain=domain,
    )
    yield check_python()
    yield from check_packages(robot)
    yield _guarded('ROS', check_ros)
    yield _guarded('DDS domains', lambda: check_domains(config))
    yield _guarded('shared memory', check_memory)
    yield _guarded('processor', check_cores)
    yield _guarded('models', check_models)
    if robot == 'sim':
        yield _guarded('GL', check_gl)
        return
    yield _guarded('cameras', check_cameras)
    yield _guarded('robot', lambda: check_robot(config))
