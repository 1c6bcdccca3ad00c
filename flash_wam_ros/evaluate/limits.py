"""The limits that a controller is evaluated under, in words.

``widest`` is a controller that limits as little as can be set and does not look at self-collision;
``NAME=VALUE`` sets a parameter of the controller; several stand with commas between. So
``widest,jerk_rad_s3=80`` shows what one limit costs alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from flash_wam_ros.core import UserError, from_mapping
from flash_wam_ros.safety import ControllerConfig

WIDEST = 'widest'
_WIDEST = dict(
    velocity_rad_s=10.0,
    acceleration_rad_s2=60.0,
    jerk_rad_s3=2000.0,
    gripper_velocity_m_s=0.5,
    gripper_closing_m_s=0.5,
    gripper_acceleration_m_s2=10.0,
    gripper_jerk_m_s3=500.0,
    position_margin_rad=0.0,
    soft_zone_s=0.005,
    hand_speed_m_s=5.0,
    lead_torque_fraction=1.0,
    contact_s=10.0,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluatedLimits:
    """What a controller is evaluated under.

    Attributes:
        config: limits, ramps and deadlines.
        check_clearance: whether it watches the arms' distance from each other and the body.
    """

    config: ControllerConfig
    check_clearance: bool

    @classmethod
    def parse(cls, text: str) -> 'EvaluatedLimits':
        """Return the limits that ``text`` names; '' for the defaults.

        Raises:
            UserError: a part is not ``widest`` at the front or ``NAME=VALUE``, the name is of no
                numeric parameter, or the value is outside its range.
        """
        parts = [part.strip() for part in text.split(',')] if text else []
        wide = parts[:1] == [WIDEST]
        values = dict(_WIDEST) if wide else {}
        values.update(_numbers(parts[wide:]))
        return cls(
            config=from_mapping(ControllerConfig, values, '--limits'), check_clearance=not wide
        )


def _numbers(parts: list[str]) -> Iterator[tuple[str, float]]:
    """Yield name and value of each ``NAME=VALUE``."""
    numeric = {field.name for field in fields(ControllerConfig) if 'low' in field.metadata}
    known = {field.name for field in fields(ControllerConfig)}
    for part in parts:
        name, sign, value = part.partition('=')
        if not sign or (name in known and name not in numeric):
            raise UserError(
                f'--limits has {part!r}; give {WIDEST} first or not at all, then NAME=VALUE of '
                'numeric parameters, with commas between'
            )
        try:
            yield name, float(value)
        except ValueError:
            raise UserError(f'--limits: {name} is {value!r}; give a number') from None
