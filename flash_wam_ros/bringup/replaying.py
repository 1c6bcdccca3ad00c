"""The processes of a replay: a player in the place of the robot, policy and controller beside it.

What policy and controller say goes to names of its own below ``replay/``, and the player speaks
only for sensors and for what was told then: nothing that a controller of a robot listens to.
"""

from dataclasses import dataclass

from flash_wam_ros.bringup.interface import (
    CAMERAS,
    camera_info_topic,
    full_name,
    image_topic,
    predicted_topic,
)
from flash_wam_ros.bringup.paths import config_file
from flash_wam_ros.bringup.processes import Process, Scalar
from flash_wam_ros.core import UserError, check_fields, choice, number, switch, words

PAUSE = 'replay/pause'
"""Service std_srvs/srv/SetBool of the player: true pauses, false goes on."""
REPLAYED = (
    *(image_topic(camera) for camera in CAMERAS),
    *(camera_info_topic(camera) for camera in CAMERAS),
    '/joint_states',
    *map(full_name, ('instruction', 'command', 'safety/state', 'sim/objects', 'sim/outcome')),
)
"""What is played; also what ``ros2 bag play`` is to play."""
SHADOWED = (
    *('action_chunk', 'policy/state', 'command', 'safety/state'),
    *(predicted_topic(camera) for camera in CAMERAS),
)
"""What policy and controller say anew, below ``replay/``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplayConfig:
    """What to replay, and how; each field is a launch argument too."""

    bag: str = words('', 'folder of a rosbag2 recording')
    player: str = choice(
        'own', ('own', 'ros2'), 'who plays: own, or ros2 for one that runs already with --clock'
    )
    policy: str = words('wam', 'who decides: wam or expert')
    model: str = words('', 'model folder of the policy; empty for the one that ships')
    task: str = words('red_bottle', 'task of a scripted expert')
    seed: int = number(0, 0, 2**31 - 1, 'seed of the policy')
    instruction: str = words('', 'what the policy is told where the bag has no instruction')
    rate: float = number(1.0, 0.05, 4.0, 'speed of the player, 1 for real time')
    start_s: float = number(0.0, 0.0, 1e6, 'time of the bag at which to begin [s]')
    loop: bool = switch(False, 'begin again at the end, until Ctrl-C')
    paused: bool = switch(False, 'begin paused')
    remap: str = words('', 'topics of other names in the bag: /theirs:=/ours,/more:=/ours')
    results: str = words('', 'file for the comparison (JSON); empty for none')
    rviz: bool = switch(False, 'show it in rviz (full ROS 2 only)')

    def __post_init__(self) -> None:
        """Refuse values out of range, and a player without a bag."""
        check_fields(self)
        if self.player == 'own' and not self.bag:
            raise UserError('bag is empty; give the folder of a recording, or player:=ros2')


def replay_processes(config: ReplayConfig) -> tuple[Process, ...]:
    """Return the processes of a replay; no robot and no port to one is among them."""
    found = [_policy(config), _shadow()]
    if config.player == 'own':
        found.append(_player(config))
    if config.rviz:
        layout = str(config_file('g1.rviz'))
        rviz = {'use_sim_time': True}
        found.append(
            Process(
                name='rviz',
                executable='rviz2',
                package='rviz2',
                arguments=('-d', layout),
                parameters=rviz,
            )
        )
    return tuple(found)


def shadowed(name: str) -> str:
    """Return where a replay says what the stack would say on ``name``."""
    return full_name(f'replay/{name}')


def _policy(config: ReplayConfig) -> Process:
    parameters: dict[str, Scalar] = {
        'policy': config.policy,
        'model': config.model,
        'task': config.task,
        'seed': config.seed,
        'instruction': config.instruction,
    }
    said = ('action_chunk', 'policy/state', *(predicted_topic(camera) for camera in CAMERAS))
    return Process(
        name='policy',
        executable='policy_node',
        parameters={**_without_empty(parameters), 'use_sim_time': True},
        remappings={full_name(name): shadowed(name) for name in said},
    )


def _shadow() -> Process:
    return Process(
        name='shadow',
        executable='shadow_node',
        parameters={'use_sim_time': True, 'mode': 'shadow'},
    )


def _player(config: ReplayConfig) -> Process:
    parameters: dict[str, Scalar] = {
        'bag': config.bag,
        'rate': config.rate,
        'start_s': config.start_s,
        'loop': config.loop,
        'paused': config.paused,
        'remap': config.remap,
        'results': config.results,
    }
    return Process(
        name='player',
        executable='player_node',
        parameters=_without_empty(parameters),
        critical=True,
    )


def _without_empty(parameters: dict[str, Scalar]) -> dict[str, Scalar]:
    """Return what is not an empty text; those are left to the node's own defaults."""
    return {name: value for name, value in parameters.items() if value != ''}
