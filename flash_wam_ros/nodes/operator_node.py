"""The operator of a simulated robot as a process: heartbeat, enable, judge, film, summarise."""

import contextlib
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Bool, String

from flash_wam_ros.bringup.interface import CAMERAS, image_topic, predicted_topic
from flash_wam_ros.core import NS_PER_S, check_fields, number, switch, words
from flash_wam_ros.evaluate.results import Results, Setting
from flash_wam_ros.nodes.asking import Asker
from flash_wam_ros.nodes.episodes import EndAskedError, EpisodeScript, StackError, Stage
from flash_wam_ros.nodes.images import ns_of, pixels_of
from flash_wam_ros.nodes.running import BaseNode, run
from flash_wam_ros.nodes.sim_messages import outcome_of
from flash_wam_ros.nodes.status import controller_cause, controller_state, interventions, values_of
from flash_wam_ros.nodes.summary import summary_lines
from flash_wam_ros.nodes.video import VideoFile, VideoLog
from flash_wam_ros.nodes.wire import publisher, subscribe

_HEARTBEAT_S = 0.05
_VIDEO_HZ = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorParameters:
    """Parameters of the operator node."""

    task: str = words('red_bottle', 'task that is judged, for the results')
    policy: str = words('wam', 'policy that is judged, for the results')
    model: str = words('', 'weights that are judged, for the results')
    seed: int = number(0, 0, 2**31 - 1, 'seed of the first episode, for the results')
    episodes: int = number(1, 1, 100_000, 'episodes to run')
    judge: bool = switch(True, 'end episodes; false lets the first one go on and on')
    timeout_s: float = number(60.0, 1.0, 3600.0, 'when an episode is given up [s]')
    instruction: str = words('', "what to say; empty for the task's own words")
    results: str = words('', 'file for the results (JSON); empty for none')
    video: str = words('', 'file for the video (mp4); empty for none')

    def __post_init__(self) -> None:
        """Check ranges."""
        check_fields(self)


class OperatorNode(BaseNode):
    """Plays the operator with a script in a thread of its own."""

    CONFIGS = (OperatorParameters,)

    def __init__(self) -> None:
        super().__init__('operator')
        (self._p,) = self.configs
        p = self._p
        self._stop = threading.Event()
        self._stage = Stage(missing={'camera', 'policy', '/joint_states'})
        self._asker = Asker(self)
        self._beats = publisher(self, 'safety/heartbeat')
        self._instructions = publisher(self, 'instruction')
        setting = Setting(task=p.task, policy=p.policy, seed=p.seed, through='ros', model=p.model)
        self._results = Results(setting, Path(p.results) if p.results else None)
        self._film = VideoLog(CAMERAS)
        self._video = VideoFile(Path(p.video), _VIDEO_HZ) if p.video else None
        self._listen()
        self.create_timer(_HEARTBEAT_S, self._beat)
        self.create_timer(1.0 / _VIDEO_HZ, self._shoot)
        self._thread = threading.Thread(target=self._script, name='script', daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        subscribe(self, 'safety/state', self._watch_controller)
        subscribe(self, 'sim/outcome', self._watch_world)
        subscribe(self, '/diagnostics', self._watch_policy)
        self._feeling = subscribe(self, '/joint_states', self._feel)
        for name in CAMERAS:
            subscribe(self, image_topic(name), partial(self._see, name))
            if self._video is not None:
                subscribe(self, predicted_topic(name), partial(self._imagine, name))

    def _beat(self) -> None:
        self._beats.publish(Bool(data=True))
        if self._instructions.get_subscription_count():
            self._stage.missing.discard('policy')

    def _feel(self, _message: JointState) -> None:
        """Notice that the robot lives; once is enough."""
        self._stage.missing.discard('/joint_states')
        self.destroy_subscription(self._feeling)

    def _see(self, camera: str, message: Image) -> None:
        self._film.seen[camera] = pixels_of(message)
        if all(name in self._film.seen for name in CAMERAS):
            self._stage.missing.discard('camera')

    def _imagine(self, camera: str, message: Image) -> None:
        self._film.imagine(camera, ns_of(message.header.stamp), pixels_of(message))

    def _shoot(self) -> None:
        picture = self._film.picture(int(self.get_clock().now().nanoseconds))
        if self._video is not None and picture is not None:
            self._video.add(picture)

    def _watch_controller(self, message: DiagnosticArray) -> None:
        state, stage = controller_state(message), self._stage
        stage.cause = controller_cause(message)
        stage.interventions = Counter(interventions(message))
        if state and state != stage.state:
            self.say(f'controller {state}: {stage.cause}')
            stage.state = state

    def _watch_world(self, message: String) -> None:
        self._stage.outcome = outcome_of(message)

    def _watch_policy(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name != 'policy':
                continue
            figures = values_of(status)
            if status.level == status.ERROR:
                self.say(f'policy: {status.message}')
                continue
            self._film.begin(imagines=figures['imagines'] == 'True')
            end_ns = int(figures['end_ns'])
            self._stage.chunks += 1
            self._stage.inference_s.append((end_ns - int(figures['start_ns'])) / NS_PER_S)
            self._stage.latency_s.append((end_ns - int(figures['observation_ns'])) / NS_PER_S)

    def _script(self) -> None:
        p = self._p
        script = EpisodeScript(self._stage, self, p.timeout_s, p.instruction, self._stop)
        try:
            script.prepare()
            if not p.judge:
                script.keep_going()
            begun = len(self._results.episodes)
            for count in range(begun, p.episodes):
                self._results.add(script.play(p.seed + count, untouched=count == begun))
            for line in summary_lines(self._results, np.array(self._stage.latency_s)):
                self.say(line)
            done = self._results.successes == len(self._results.episodes)
            self.exit_code = 0 if done else 1
        except StackError as error:
            self.say(str(error))
            self.exit_code = 1
        except EndAskedError:
            self.exit_code = 0

    def instruct(self, words: str) -> None:
        """Tell the policy what to do."""
        self._instructions.publish(String(data=words))

    def enable(self) -> tuple[bool, str]:
        """Ask the controller to take the arms."""
        return self._asker.ask('safety/enable', data=True)

    def release(self) -> tuple[bool, str]:
        """Ask the controller to let the arms go."""
        return self._asker.ask('safety/release')

    def reset_world(self) -> tuple[bool, str]:
        """Ask the simulator for the next episode."""
        return self._asker.ask('sim/reset')

    def say(self, line: str) -> None:
        """Print one event."""
        print(f'{time.strftime("%H:%M:%S")} {line}', flush=True)

    def close(self) -> None:
        """End the script and finish the video."""
        self._stop.set()
        self._thread.join(timeout=1.0)
        if self._video is not None:
            with contextlib.suppress(OSError):
                self._video.close()


def main() -> None:
    """Run the node."""
    run(OperatorNode)


if __name__ == '__main__':
    main()
