"""The limits that an evaluation names are those that the controller keeps."""

from dataclasses import fields

import pytest

from flash_wam_ros.core import UserError
from flash_wam_ros.evaluate.limits import EvaluatedLimits
from flash_wam_ros.safety import ControllerConfig

DEFAULT = ControllerConfig()


def _changed(config, other):
    names = [field.name for field in fields(ControllerConfig)]
    return {name for name in names if getattr(config, name) != getattr(other, name)}


def test_no_words_are_the_defaults():
    limits = EvaluatedLimits.parse('')
    assert (limits.config, limits.check_clearance) == (DEFAULT, True)


def test_a_named_limit_is_the_only_one_that_changes():
    limits = EvaluatedLimits.parse('jerk_rad_s3=80, lookahead_s=0.1')
    assert _changed(limits.config, DEFAULT) == {'jerk_rad_s3', 'lookahead_s'}
    assert (limits.config.jerk_rad_s3, limits.check_clearance) == (80.0, True)


def test_the_widest_limits_stand_at_the_ends_of_their_ranges():
    widest = EvaluatedLimits.parse('widest')
    assert not widest.check_clearance
    for field in fields(ControllerConfig):
        if field.name in _changed(widest.config, DEFAULT):
            ends = (field.metadata['low'], field.metadata['high'])
            assert getattr(widest.config, field.name) in ends


def test_one_limit_can_stand_alone():
    alone = EvaluatedLimits.parse('widest,jerk_rad_s3=80')
    assert _changed(alone.config, EvaluatedLimits.parse('widest').config) == {'jerk_rad_s3'}


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        ('wide', "has 'wide'; give widest first"),
        ('jerk_rad_s3=80,widest', "has 'widest'; give widest first"),
        ('jerk_rad_s2=80', "no 'jerk_rad_s2'; did you mean 'jerk_rad_s3'"),
        ('jerk_rad_s3=fast', "jerk_rad_s3 is 'fast'; give a number"),
        ('jerk_rad_s3=nan', 'outside [5, 2000]'),
        ('jerk_rad_s3=1', 'outside [5, 2000]'),
        ('mode=reduced', 'numeric parameters'),
    ],
)
def test_what_is_no_limit_is_refused(words, says):
    with pytest.raises(UserError) as refusal:
        EvaluatedLimits.parse(words)
    assert says in str(refusal.value)
