"""The subcommands of ``flash-wam``: name, module, one line of help."""

from typing import NamedTuple


class Entry(NamedTuple):
    """Where a subcommand lives and what it does."""

    module: str
    help: str


COMMANDS: dict[str, Entry] = {
    'verify': Entry(
        'flash_wam_ros.cli.verify',
        'check a checkpoint, or this build against recorded activations',
    ),
    'bench model': Entry(
        'flash_wam_ros.cli.bench_model',
        'time the model: reference and fused plans, beside the arithmetic floor',
    ),
    'bench stack': Entry(
        'flash_wam_ros.cli.bench_stack',
        'time the running stack: rates, lost frames, camera to command',
    ),
    'bench serve': Entry(
        'flash_wam_ros.cli.bench_serve',
        'time the policy server on loopback: round trip less the time of the model',
    ),
    'bench link': Entry(
        'flash_wam_ros.cli.bench_link',
        'time the wire between controller and robot: rates, round trip, CPU',
    ),
    'bench dashboard': Entry(
        'flash_wam_ros.cli.bench_dashboard', 'what the dashboard costs while nobody looks at it'
    ),
    'bench safety': Entry(
        'flash_wam_ros.cli.bench_safety',
        'shake the safety controller with hostile commands; count what it violates',
    ),
    'bench filter': Entry(
        'flash_wam_ros.cli.bench_filter', 'time single steps of the trajectory filter'
    ),
    'bench recorder': Entry(
        'flash_wam_ros.cli.bench_recorder',
        'time the recorder: three cameras and fast joint states, and what gets lost',
    ),
    'demo': Entry(
        'flash_wam_ros.cli.demo', 'start the simulated G1 and do one task, start to end'
    ),
    'view': Entry(
        'flash_wam_ros.cli.view', 'start the simulated G1 and operate it from the browser'
    ),
    'view screenshot': Entry(
        'flash_wam_ros.cli.view_screenshot', 'take pictures of the dashboard while the G1 works'
    ),
    'sim': Entry('flash_wam_ros.cli.sim', 'start the simulated G1 on the SDK topics'),
    'policy': Entry('flash_wam_ros.cli.policy', 'start the policy node'),
    'controller': Entry('flash_wam_ros.cli.controller', 'start the controller node'),
    'controller review': Entry(
        'flash_wam_ros.cli.controller_review',
        'run a bag through the safety controller, offline; print every verdict',
    ),
    'serve': Entry(
        'flash_wam_ros.cli.serve', 'serve a model over a websocket, to robots and benchmarks'
    ),
    'record': Entry(
        'flash_wam_ros.cli.record', 'record a running stack into a rosbag2 folder, until Ctrl-C'
    ),
    'replay': Entry(
        'flash_wam_ros.cli.replay', 'let a policy act on the sensors of a bag, without a robot'
    ),
    'export': Entry(
        'flash_wam_ros.cli.export', 'turn the episodes of bags into a LeRobot dataset'
    ),
    'evaluate': Entry(
        'flash_wam_ros.cli.evaluate', 'run a policy on a task many times and count the successes'
    ),
    'collect': Entry(
        'flash_wam_ros.cli.collect',
        'record demonstrations of the scripted expert; goes on where it stopped',
    ),
    'libero setup': Entry(
        'flash_wam_ros.cli.libero_setup',
        'put LIBERO into a virtual environment of its own; goes on where it stopped',
    ),
    'libero check': Entry(
        'flash_wam_ros.cli.libero_check',
        'try LIBERO and measure what its steps and pictures cost on this machine',
    ),
    'doctor': Entry(
        'flash_wam_ros.cli.doctor', 'check this machine and name the fix for each fault'
    ),
    'data inspect': Entry(
        'flash_wam_ros.cli.data_inspect',
        'show what a LeRobot dataset holds and name every fault in it',
    ),
    'data stats': Entry(
        'flash_wam_ros.cli.data_stats',
        'compute the quantiles, means and deviations of the actions of a dataset',
    ),
    'data codec': Entry(
        'flash_wam_ros.cli.data_codec', 'fit the light video codec to the cameras of a dataset'
    ),
    'data encode': Entry(
        'flash_wam_ros.cli.data_encode',
        'encode the video and the instructions of a dataset; goes on where it stopped',
    ),
    'train base': Entry(
        'flash_wam_ros.cli.train_base',
        'make the model that a training starts from: codec, statistics, random weights',
    ),
    'train': Entry('flash_wam_ros.cli.train', 'train a teacher by flow matching'),
    'distill': Entry('flash_wam_ros.cli.distill', 'distil a teacher into a few-step student'),
    'distill toy': Entry(
        'flash_wam_ros.cli.distill_toy',
        'run every recipe on a toy world with a known optimum; write the table',
    ),
    'reproduce': Entry(
        'flash_wam_ros.cli.reproduce',
        'make a model again from nothing: demonstrations, training, distillation, evaluation',
    ),
    'ship': Entry(
        'flash_wam_ros.cli.ship',
        'put a teacher and its student, with their model card, into a folder that ships',
    ),
    'results': Entry('flash_wam_ros.cli.results', 'one page with the figures of many evaluations'),
    'report': Entry(
        'flash_wam_ros.cli.report', 'one page about training runs, or about a recording'
    ),
    'bench sight': Entry(
        'flash_wam_ros.cli.bench_sight',
        'measure what a model sees: colours through its codec, places by a linear probe',
    ),
    'bench imagination': Entry(
        'flash_wam_ros.cli.bench_imagination',
        'compare the imagined video with what came, beside copying the last picture',
    ),
    'bench trainer': Entry(
        'flash_wam_ros.cli.bench_trainer',
        'time a training step beside the bare forward, backward and update',
    ),
    'drill matrix': Entry(
        'flash_wam_ros.cli.drill_matrix',
        'inject every fault of every source into a running controller',
    ),
    'bench controller': Entry(
        'flash_wam_ros.cli.bench_controller',
        'time the running controller: share of a core at 250 and 500 Hz',
    ),
    'drill blocked': Entry(
        'flash_wam_ros.cli.drill_blocked',
        'drive a hand into the simulated table, with and without the lead clamp',
    ),
    'drill ways-out': Entry(
        'flash_wam_ros.cli.drill_ways_out',
        'leave a running controller in every way; capture the bytes with the unmodified SDK',
    ),
    'drill soak': Entry(
        'flash_wam_ros.cli.drill_soak',
        'run the controller for long under load, with a stop every minute',
    ),
}
