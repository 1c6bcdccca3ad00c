"""Action layouts of the robots that LingBot-VA was published for, and of the Unitree G1.

Channels and quantiles of the first four: the configuration files of LingBot-VA.
"""

from collections.abc import Mapping, Sequence

from flash_wam_ros.wam.actions import NUM_CHANNELS, ActionConfig
from flash_wam_ros.wam.state import StateConfig


def _padded(head: Sequence[float], tail: Sequence[float] = ()) -> tuple[float, ...]:
    """Return NUM_CHANNELS values: ``head``, zeros, ``tail``."""
    zeros = NUM_CHANNELS - len(head) - len(tail)
    return (*head, *([0.0] * zeros), *tail)


# Both end effectors, each with its gripper behind it (RoboTwin and Franka).
_TWO_END_EFFECTORS = (*range(7), 28, *range(7, 14), 29)
_UNIT_GRIPPERS = (1.0, 1.0)

_ROBOTWIN = ActionConfig(
    used=_TWO_END_EFFECTORS,
    q01=_padded(
        (
            *(-0.06172713458538055, -3.6716461181640625e-05, -0.08783501386642456),
            *(-1.0, -1.0, -1.0, -1.0),
            *(-0.3547105032205582, -1.3113021850585938e-06, -0.11975435614585876),
            *(-1.0, -1.0, -1.0, -1.0),
        )
    ),
    q99=_padded(
        (
            *(0.3462600058317184, 0.39966784834861746, 0.14745532035827624),
            *(1.0, 1.0, 1.0, 1.0),
            *(0.034201726913452024, 0.39142737388610793, 0.1792279863357542),
            *(1.0, 1.0, 1.0, 1.0),
        ),
        _UNIT_GRIPPERS,
    ),
)
_FRANKA = ActionConfig(
    used=_TWO_END_EFFECTORS,
    q01=_padded(
        (
            *(0.3051295876502991, -0.22647984325885773, 0.19957000017166138),
            *(-0.022680532187223434, -0.05553057789802551),
            *(-0.2693849802017212, -0.29341773986816405),
            *(0.2935442328453064, -0.4431332051753998, 0.21256473660469055),
            *(-0.7962440848350525, -0.40816226601600647),
            *(-0.28359392285346985, -0.44507765769958496),
        )
    ),
    q99=_padded(
        (
            *(0.7572150230407715, 0.47736290097236633, 0.6428080797195435),
            *(0.9835678935050964, 0.9927203059196472),
            *(0.28041139245033264, 0.47529348731040877),
            *(0.7564866304397571, 0.04082797020673729, 0.5355993628501885),
            *(0.9976375699043274, 0.8973174452781656),
            *(0.6016915678977965, 0.5027598619461056),
        ),
        _UNIT_GRIPPERS,
    ),
)
_LIBERO = ActionConfig(
    used=tuple(range(7)),
    q01=_padded(
        (
            *(-0.6589285731315613, -0.84375, -0.9375),
            *(-0.12107142806053162, -0.15964286029338837, -0.26571428775787354),
            -1.0,
        )
    ),
    q99=_padded(
        (
            *(0.8999999761581421, 0.8544642925262451, 0.9375),
            *(0.17142857611179352, 0.1842857152223587, 0.34392857551574707),
            1.0,
        )
    ),
)
_DEMO = ActionConfig(
    used=(*range(5), 28),
    q01=_padded(
        (
            *(-90.60303497314453, -98.73043060302734, -79.9008560180664),
            *(48.95470428466797, -32.794578552246094),
        ),
        (0.8250824809074402, 0.0),
    ),
    q99=_padded(
        (71.735107421875, 65.89081573486328, 92.87967681884766, 100.0, 22.784151077270508),
        (100.0, 0.0),
    ),
)

# Ranges of Unitree's URDF g1_29dof_with_hand_rev_1_0 [rad] and of a Dex1-1 finger [m]; a test
# holds them equal to the robot's own joint layout.
_G1_LEFT_ARM = (
    *((-3.0892, 2.6704), (-1.5882, 2.2515), (-2.618, 2.618), (-1.0472, 2.0944)),
    *((-1.97222, 1.97222), (-1.61443, 1.61443), (-1.61443, 1.61443)),
)
_G1_RIGHT_ARM = (_G1_LEFT_ARM[0], (-2.2515, 1.5882), *_G1_LEFT_ARM[2:])
_G1_FINGER = (0.0, 0.045)
_G1_LIMITS = (*_G1_LEFT_ARM, *_G1_RIGHT_ARM, _G1_FINGER, _G1_FINGER)
_G1 = ActionConfig.from_limits(
    used=tuple(range(14, 30)),
    lower=[low for low, _ in _G1_LIMITS],
    upper=[high for _, high in _G1_LIMITS],
)

G1_STATE = StateConfig(
    mean=tuple((low + high) / 2 for low, high in _G1_LIMITS),
    std=tuple((high - low) / 2 for low, high in _G1_LIMITS),
)
"""Joint positions over their ranges, until a data set gives statistics."""

ACTIONS: Mapping[str, ActionConfig] = {
    'robotwin': _ROBOTWIN,
    'franka': _FRANKA,
    'libero': _LIBERO,
    'demo': _DEMO,
    'g1': _G1,
    'g1-micro': _G1,
    'g1-tiny': _G1,
    'g1-base': _G1,
}
"""Action layouts by preset name."""
