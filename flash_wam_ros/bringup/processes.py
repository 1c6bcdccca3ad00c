"""The one description of the processes: launch files and the supervisor only loop over it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flash_wam_ros.bringup.interface import NAMESPACE
from flash_wam_ros.bringup.paths import PACKAGE, config_file, installed
from flash_wam_ros.core import UserError, check_fields, choice, number, switch, words

Scalar = str | int | float | bool
LOOPBACK = 'lo'
_SDK_DOMAINS = {'sim': 1, 'g1': 0}
RVIZ = 'rviz2'
STATE_PUBLISHER = 'robot_state_publisher'
_ON_TIME = ('sim', 'controller')
_STEP_BACK = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class BringupConfig:
    """What to start; each field is a launch argument too."""

    robot: str = choice('sim', ('sim', 'g1'), 'the simulated G1 or the real one')
    task: str = words('red_bottle', 'task of the simulated world')
    instruction: str = words('', "what the robot is told; empty for the task's own words")
    policy: str = words('wam', 'who decides: wam, expert, remote, or none to start no policy')
    model: str = words('', 'model folder of the policy; empty for the one that ships')
    server: str = words('', 'server of the remote policy, ws://HOST:PORT; empty for none')
    frames: str = choice('jpeg', ('jpeg', 'raw'), 'how pictures travel to the server')
    network_interface: str = words('', 'interface of the SDK topics; empty for lo in simulation')
    domain: int = number(-1, -1, 232, 'SDK domain; -1 for 1 in simulation and 0 on the robot')
    cameras: str = choice(
        'auto',
        ('auto', 'sim', 'opencv', 'realsense', 'none'),
        'where pictures come from; auto: sim for the simulator, opencv for the robot',
    )
    rviz: bool = switch(False, 'show robot, paths and pictures in rviz (full ROS 2 only)')
    dashboard: bool = switch(False, 'show everything in a browser, and operate from there')
    dashboard_address: str = words(
        '127.0.0.1', 'IP address of the dashboard; all but 127.0.0.1 need a token'
    )
    dashboard_port: int = number(8020, 0, 65535, 'port of the dashboard; 0: the system picks')
    dashboard_token: str = words('', 'token of the dashboard; empty: drawn where it needs one')
    seed: int = number(0, 0, 2**31 - 1, 'first seed of the simulated world')
    operator: bool = switch(False, 'enable and judge without a person; simulation only')
    judge: bool = switch(True, 'end episodes; false lets the first one go on and on')
    episodes: int = number(1, 1, 100_000, 'episodes that the operator runs')
    timeout_s: float = number(60.0, 1.0, 3600.0, 'when the operator gives an episode up [s]')
    results: str = words('', 'file for the results of the operator (JSON); empty for none')
    video: str = words('', 'file for the video of the operator (mp4); empty for none')
    record: str = words('', 'new folder for a rosbag2 recording of every topic; empty for none')
    record_images: str = choice('raw', ('raw', 'jpeg', 'none'), 'how pictures are recorded')
    record_distro: str = choice(
        'jazzy', ('humble', 'jazzy'), 'release of ROS 2 that is to read the recording'
    )
    record_split_mib: int = number(
        1024, 1, 1024 * 1024, 'size after which a new file of the recording begins [MiB]'
    )
    probe_s: float = number(0.0, 0.0, 3600.0, 'measure the running stack for this time [s]')
    measures: str = words('', 'file for what was measured (JSON); empty for none')

    def __post_init__(self) -> None:
        """Refuse values out of range and combinations that cannot work."""
        check_fields(self)
        if (self.policy == 'remote') != bool(self.server):
            raise UserError('policy remote and a server go together; server:=ws://HOST:PORT')
        if self.robot == 'sim':
            return
        if self.operator:
            raise UserError('only a person enables a real robot; leave the operator out')
        if self.policy == 'expert':
            raise UserError(
                'the expert needs object poses, which only the simulator gives; policy:=wam'
            )
        if self.cameras == 'sim':
            raise UserError('robot g1 has no simulated cameras; cameras:=opencv or realsense')
        if not self.network_interface:
            raise UserError(
                'robot g1 needs the network interface that leads to it; '
                'find its name with: ip -brief address; then network_interface:=NAME'
            )

    @property
    def sdk_domain(self) -> int:
        """Return the DDS domain of the SDK's topics."""
        return _SDK_DOMAINS[self.robot] if self.domain < 0 else self.domain

    @property
    def interface(self) -> str:
        """Return the network interface of the SDK's topics."""
        return self.network_interface or LOOPBACK

    @property
    def eyes(self) -> str:
        """Return where the pictures come from."""
        if self.cameras != 'auto':
            return self.cameras
        return 'sim' if self.robot == 'sim' else 'opencv'


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """One process.

    Attributes:
        name: node name, unique.
        executable: what ``ros2 run`` would start.
        package: the package that it belongs to.
        parameters: ROS parameters beside those of the robot's file in config.
        params_file: parameter file, empty for none.
        arguments: command line before ``--ros-args``.
        namespace: ROS namespace.
        remappings: names to rename, from -> to.
        critical: its end ends the run, because nothing works without it.
        nice: how much it steps back (nice(1)) where cores are short.
    """

    name: str
    executable: str
    package: str = PACKAGE
    parameters: Mapping[str, Scalar] = field(default_factory=dict)
    params_file: str = ''
    arguments: tuple[str, ...] = ()
    namespace: str = NAMESPACE
    remappings: Mapping[str, str] = field(default_factory=dict)
    critical: bool = False
    nice: int = 0


def _own(
    config: BringupConfig,
    name: str,
    parameters: Mapping[str, Scalar] | None = None,
    critical: bool = False,
) -> Process:
    """Return one of our nodes; empty texts are left to the node's own defaults."""
    given = {key: value for key, value in (parameters or {}).items() if value != ''}
    return Process(
        name=name,
        executable=f'{name}_node',
        parameters=given,
        params_file=str(config_file(f'{config.robot}.yaml')),
        critical=critical,
        nice=0 if name in _ON_TIME else _STEP_BACK,
    )


def _sdk(config: BringupConfig) -> dict[str, Scalar]:
    return {'sdk_domain': config.sdk_domain, 'network_interface': config.interface}


def _cameras(config: BringupConfig) -> list[Process]:
    if config.eyes == 'sim':
        return [_own(config, 'camera')]
    if config.eyes == 'opencv':
        return [_own(config, 'cv_camera')]
    if config.eyes == 'realsense':
        return [
            Process(
                name='realsense',
                executable='realsense2_camera_node',
                package='realsense2_camera',
                params_file=str(config_file('realsense.yaml')),
                namespace='/camera',
                remappings={
                    '~/color/image_raw': '/camera/head/image_raw',
                    '~/color/camera_info': '/camera/head/camera_info',
                },
            )
        ]
    return []


def _policy(config: BringupConfig) -> list[Process]:
    if config.policy == 'none':
        return []
    parameters: dict[str, Scalar] = {
        'policy': config.policy,
        'task': config.task,
        'seed': config.seed,
        'model': config.model,
        'server': config.server,
        'frames': config.frames if config.server else '',
        'instruction': config.instruction,
    }
    return [_own(config, 'policy', parameters)]


def _operator(config: BringupConfig) -> list[Process]:
    if not config.operator:
        return []
    parameters: dict[str, Scalar] = {
        'task': config.task,
        'policy': config.policy,
        'model': config.model,
        'seed': config.seed,
        'judge': config.judge,
        'episodes': config.episodes,
        'timeout_s': config.timeout_s,
        'instruction': config.instruction,
        'results': config.results,
        'video': config.video,
    }
    return [_own(config, 'operator', parameters, critical=True)]


def _probe(config: BringupConfig) -> list[Process]:
    if config.probe_s == 0:
        return []
    parameters: dict[str, Scalar] = {
        'duration_s': config.probe_s,
        'output': config.measures,
        **_sdk(config),
    }
    return [_own(config, 'probe', parameters, critical=True)]


def _recorder(config: BringupConfig) -> list[Process]:
    if not config.record:
        return []
    parameters: dict[str, Scalar] = {
        'output': config.record,
        'images': config.record_images,
        'distro': config.record_distro,
        'split_mib': config.record_split_mib,
    }
    return [_own(config, 'recorder', parameters)]


def _dashboard(config: BringupConfig) -> list[Process]:
    parameters: dict[str, Scalar] = {
        'robot': config.robot,
        'task': config.task if config.robot == 'sim' else '',
        'policy': config.policy,
        'model': config.model,
        'server': config.server,
        'address': config.dashboard_address,
        'port': config.dashboard_port,
        'token': config.dashboard_token,
    }
    return [_own(config, 'dashboard', parameters)]


def _viewers(config: BringupConfig, found: Callable[[str], bool]) -> list[Process]:
    shown = _dashboard(config) if config.dashboard else []
    if not config.rviz:
        return shown
    shown.append(_own(config, 'markers'))
    if found(STATE_PUBLISHER):
        shown.append(_own(config, 'state_publisher'))
    if found(RVIZ):
        layout = str(config_file('g1.rviz'))
        rviz = Process(name='rviz', executable=RVIZ, package=RVIZ, arguments=('-d', layout))
        return [*shown, rviz]
    return shown if config.dashboard else [*shown, *_dashboard(config)]


def notices(config: BringupConfig, found: Callable[[str], bool] = installed) -> list[str]:
    """Return what to tell people about what they asked for and cannot have here."""
    if not config.rviz or found(RVIZ):
        return []
    return [
        'rviz2 is not installed here; the dashboard, whose address is printed below, shows the '
        'same in a browser; on a full ROS 2: sudo apt install ros-$ROS_DISTRO-rviz2'
    ]


def processes(
    config: BringupConfig, found: Callable[[str], bool] = installed
) -> tuple[Process, ...]:
    """Return the processes of ``config``, in the order in which they start.

    Args:
        config: what to start.
        found: whether a ROS package is installed here; viewers that are not are left out.
    """
    # The recorder first: what is said only once, it should hear.
    chosen: list[Process] = _recorder(config)
    if config.robot == 'sim':
        world: dict[str, Scalar] = {'task': config.task, 'seed': config.seed, **_sdk(config)}
        chosen.append(_own(config, 'sim', world, critical=True))
    robot: dict[str, Scalar] = {'robot': config.robot, **_sdk(config)}
    chosen.append(_own(config, 'controller', robot, critical=True))
    chosen += _cameras(config) + _policy(config) + _operator(config) + _probe(config)
    return tuple(chosen + _viewers(config, found))


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the variables that every process needs; what the user has set is kept.

    Args:
        environ: the user's environment, ``os.environ`` if None.
    """
    given = os.environ if environ is None else environ
    profile = str(config_file('fastdds.xml'))
    wanted = {
        'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
        'FASTRTPS_DEFAULT_PROFILES_FILE': profile,
        'FASTDDS_DEFAULT_PROFILES_FILE': profile,
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'OMP_NUM_THREADS': '1',
        'LP_NUM_THREADS': '0',
        'MUJOCO_GL': 'egl',
        'OPENCV_LOG_LEVEL': 'OFF',
        'PYTHONUNBUFFERED': '1',
    }
    if given.get('ROS_DISTRO') == 'humble':
        # Later releases know ROS_AUTOMATIC_DISCOVERY_RANGE and complain about this one.
        wanted['ROS_LOCALHOST_ONLY'] = '1'
    if 'VIRTUAL_ENV' in given:
        wanted['AMENT_PREFIX_PATH'] = given['VIRTUAL_ENV']
    return {name: given.get(name, value) for name, value in wanted.items()}
