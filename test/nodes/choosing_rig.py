"""The simulated stack as real processes, and a person who may choose task and policy in it."""

import dataclasses
import re
import threading

import rclpy
from std_msgs.msg import Bool, String
from waiting import wait_for

from flash_wam_ros.bringup.processes import BringupConfig, processes
from flash_wam_ros.bringup.supervisor import Supervisor
from flash_wam_ros.nodes.asking import Asker
from flash_wam_ros.nodes.sim_messages import objects_of, outcome_of
from flash_wam_ros.nodes.status import controller_state, values_of
from flash_wam_ros.nodes.wire import publisher, subscribe

START_S = 240.0
NOBODY = 'ws://127.0.0.1:9'
"""A server that is not there; the page offers it as if the stack had been started with it."""
_PAGE = {'answer_limit_s': 2.0, 'policy': 'remote', 'server': NOBODY}


class Stack:
    """Simulator, controller, policy and dashboard; no cameras, which nobody needs here."""

    def __init__(self, folder, domain):
        config = BringupConfig(
            policy='expert', cameras='none', dashboard=True, dashboard_port=0, domain=domain
        )
        chosen = [
            dataclasses.replace(p, parameters={**p.parameters, **_PAGE})
            if p.name == 'dashboard'
            else p
            for p in processes(config)
        ]
        self.folder, self.lines = folder, []
        self._supervisor = Supervisor(chosen, folder, self.lines.append)
        self._supervisor.__enter__()
        try:
            self.url = wait_for(self._address, 'the address of the dashboard', START_S)
        except BaseException:
            self.close()
            raise

    def _address(self):
        assert self._supervisor.poll() is None, self.lines
        found = re.search(r'dashboard: (http://\S+)', (self.folder / 'dashboard.log').read_text())
        return found[1] if found else None

    def close(self):
        self._supervisor.stop()


class Person:
    """Somebody at a keyboard of their own; sends heartbeats from ``operate`` on."""

    def __init__(self, context):
        self.node = rclpy.create_node('person', context=context)
        self._executor = rclpy.executors.SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self.states, self.outcome, self.objects, self.told = [''], {}, {}, []
        self.policy, self.words, self.failed = {}, '', False
        self.chunks = 0
        self._asker = Asker(self.node, 60.0)
        self._beats = None
        self._says = publisher(self.node, 'instruction')
        subscribe(self.node, 'safety/state', lambda m: self.states.append(controller_state(m)))
        subscribe(self.node, 'sim/outcome', lambda m: self.outcome.update(outcome_of(m)))
        subscribe(self.node, 'sim/objects', self._see)
        subscribe(self.node, 'action_chunk', self._count)
        subscribe(self.node, 'policy/state', self._hear)
        self.node.create_timer(0.05, self._beat)
        self._running = True
        self._thread = threading.Thread(target=self._spin)
        self._thread.start()

    def _spin(self):
        while self._running:
            self._executor.spin_once(timeout_sec=0.05)

    def _beat(self):
        if self._beats is not None:
            self._beats.publish(Bool(data=True))

    def _count(self, _message):
        self.chunks += 1

    def _see(self, message):
        self.objects = objects_of(message)

    def _hear(self, message):
        (status,) = message.status
        self.policy, self.words = values_of(status), status.message
        self.failed = status.level == status.ERROR

    def operate(self):
        """Begin to operate; until then a page may."""
        self._beats = publisher(self.node, 'safety/heartbeat')
        wait_for(self._beats.get_subscription_count, 'the controller', START_S)

    def say(self, words):
        self._says.publish(String(data=words))

    def ask(self, name, **request):
        """Ask until it is granted; the controller refuses until it has heard enough."""
        wait_for(lambda: self._asker.ask(name, **request)[0], name, START_S)

    def choose(self, process, **values):
        return self._asker.choose(process, **values)

    def wait_for_state(self, *states):
        wait_for(lambda: self.states[-1] in states, f'{states} ({self.states[-1]})', START_S)

    def wait_for_tracking(self):
        """Wait until the arms follow; a busy machine may have stopped them meanwhile."""

        def tracking():
            if self.states[-1] == 'STOPPED':
                self._asker.ask('safety/reset')
            return self.states[-1] == 'TRACKING'

        wait_for(tracking, f'TRACKING ({self.states[-1]})', START_S)

    def hear_states(self, count):
        """Return the next ``count`` states that the controller tells."""
        begin = len(self.states)
        wait_for(lambda: len(self.states) >= begin + count, 'states', START_S)
        return set(self.states[begin:])

    def close(self):
        self._running = False
        self._thread.join()
        self.node.destroy_node()
