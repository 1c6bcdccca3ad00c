"""What the operator's script does, against a stage whose controller answers at once."""

import threading
import time

import pytest

from flash_wam_ros.nodes import episodes
from flash_wam_ros.nodes.episodes import EndAskedError, EpisodeScript, StackError, Stage


class Busy(Stage):
    """A stage whose policy speaks at once."""

    def begin(self):
        super().begin()
        self.chunks = 1


class Theatre:
    """Hands that move the stage: arms, and lets the world go its way."""

    def __init__(self, outcomes=()):
        self.stage = Busy(state='DISARMED')
        self.stage.outcome = self._outcome(0)
        self.words, self.lines = [], []
        self.outcomes = list(outcomes)

    def _outcome(self, seed, **changes):
        return {
            'seed': seed,
            'instruction': 'lift it',
            'time_limit_s': 0.2,
            'success': False,
            'over': False,
            'reason': 'it lies there',
            **changes,
        }

    def instruct(self, words):
        self.words.append(words)

    def enable(self):
        self.stage.state = 'HOLDING'
        if self.outcomes:
            self.stage.outcome.update(self.outcomes.pop(0))
        return True, 'arming'

    def release(self):
        self.stage.state = 'DISARMED'
        return True, 'releasing'

    def reset_world(self):
        self.stage.outcome = self._outcome(self.stage.outcome['seed'] + 1)
        return True, 'reset'

    def say(self, line):
        self.lines.append(line)


def _script(theatre, **options):
    return EpisodeScript(theatre.stage, theatre, timeout_s=10.0, **options)


def test_success_ends_the_episode_and_releases_the_arms():
    theatre = Theatre([{'success': True, 'reason': 'it is up'}])
    episode = _script(theatre).play(0, untouched=True)
    assert (episode.success, episode.reason) == (True, 'it is up')
    assert theatre.stage.state == 'DISARMED'


def test_an_episode_that_cannot_succeed_any_more_ends_at_once():
    theatre = Theatre([{'over': True, 'reason': 'it fell off the table'}])
    episode = _script(theatre).play(0, untouched=True)
    assert (episode.success, episode.reason) == (False, 'it fell off the table')


def test_the_limit_of_the_task_ends_an_episode_with_the_reason():
    episode = _script(Theatre()).play(0, untouched=True)
    assert episode.reason == 'it lies there when the time of 0.2 s was up'


def test_the_time_of_an_episode_begins_with_the_first_chunk():
    theatre = Theatre()
    theatre.stage = Stage(state='DISARMED', outcome=theatre.stage.outcome)
    script = _script(theatre)
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        if len(slept) == 50:  # longer than the limit of the task
            theatre.stage.chunks = 1
        if len(slept) > 50:
            theatre.stage.outcome.update(success=True, reason='it is up')
        time.sleep(seconds)

    script._sleep = sleep
    episode = script.play(0, untouched=True)
    assert episode.success
    assert sum(slept[:50]) > 0.2, 'the first chunk came within the limit'
    assert episode.duration_s < sum(slept[:50]), 'the wait before it was counted'


def test_a_policy_that_never_speaks_is_named(monkeypatch):
    monkeypatch.setattr(episodes, '_FIRST_CHUNK_S', 0.1)
    theatre = Theatre()
    theatre.stage = Stage(state='DISARMED', outcome=theatre.stage.outcome)
    with pytest.raises(StackError, match=r'the policy made no chunk after 0\.1 s'):
        _script(theatre).play(0, untouched=True)


def test_the_world_is_reset_until_it_shows_the_seed():
    theatre = Theatre()
    assert _script(theatre).play(3, untouched=True).seed == 3
    assert _script(theatre).play(4, untouched=False).seed == 4


def test_the_words_of_the_task_hold_unless_others_are_given():
    theatre = Theatre()
    _script(theatre).play(0, untouched=True)
    _script(theatre, instruction='put it down').play(1, untouched=False)
    assert theatre.words == ['lift it', 'put it down']


def test_a_stop_of_the_controller_fails_the_episode_with_its_cause():
    theatre = Theatre()
    theatre.enable = lambda: (setattr(theatre.stage, 'state', 'HOLDING') or True, '')

    def watch_once(seconds):
        theatre.stage.state, theatre.stage.cause = 'STOPPED', 'operator asked to stop'

    script = _script(theatre)
    script._sleep = watch_once
    episode = script.play(0, untouched=True)
    assert episode.reason == 'the controller went to STOPPED: operator asked to stop'


def _goes_on_until(state, stop, end):
    """Return a script whose controller goes to ``state``, upon which ``end`` is called."""
    theatre = Theatre()
    script = _script(theatre, stop=stop)

    def arm():
        theatre.stage.state, theatre.stage.cause = state, 'said so'
        end()

    script._enable = arm
    return script


def test_a_controller_that_is_ended_before_the_operator_is_no_failure():
    stop = threading.Event()
    with pytest.raises(EndAskedError):
        _goes_on_until('RELEASING', stop, stop.set).keep_going()


@pytest.mark.parametrize('state', ['RELEASING', 'STOPPED', 'FAULT'])
def test_a_controller_that_lets_go_or_stops_by_itself_is_one(state, monkeypatch):
    monkeypatch.setattr(episodes, '_END_S', 0.01)
    with pytest.raises(StackError, match=f'the controller went to {state}: said so'):
        _goes_on_until(state, threading.Event(), lambda: None).keep_going()


def test_a_world_that_does_not_reset_is_an_error_with_its_words():
    theatre = Theatre()
    theatre.reset_world = lambda: (False, 'the physics ended')
    with pytest.raises(StackError, match='the physics ended'):
        _script(theatre).play(1, untouched=True)


def test_arming_that_a_passing_fault_ended_is_tried_again():
    theatre = Theatre()
    ends = ['DISARMED', 'HOLDING']

    def enable():
        theatre.stage.state = 'ARMING'
        return True, 'arming'

    def pass_time(seconds):
        if theatre.stage.state == 'ARMING':
            theatre.stage.state, theatre.stage.cause = ends.pop(0), 'lowstate is old'

    theatre.enable = enable
    script = _script(theatre)
    script._sleep = pass_time
    script.play(0, untouched=True)
    assert any('arming 1 of 3 failed: lowstate is old' in line for line in theatre.lines)
    assert ends == []
