"""What each task asks of which hand.

A recipe gets the hands' home poses and, for what may be done in more than one way, random numbers
that follow from the episode's seed.
"""

from collections.abc import Callable, Mapping

import mink
import numpy as np

from flash_wam_ros.sim.experts.detour import Detour, DetourScript
from flash_wam_ros.sim.experts.script import Delivery, Grip, HandScript, Phase
from flash_wam_ros.sim.experts.view import Script, View
from flash_wam_ros.sim.robot_model import PELVIS_HEIGHT_M
from flash_wam_ros.sim.scene import TABLE_TOP_M
from flash_wam_ros.sim.tasks.around_the_post import BALL_RADIUS_M, HOVER_M, START
from flash_wam_ros.sim.tasks.pink_to_target import ON_SPOT_M
from flash_wam_ros.sim.tasks.pot_potato import POT_HEIGHT_M, POT_RADIUS_M

Homes = Mapping[str, mink.SE3]
Recipe = Callable[[Homes, np.random.Generator], Mapping[str, Script]]
_TABLE_M = TABLE_TOP_M - PELVIS_HEIGHT_M
_LID_SPOT = (0.34, 0.315)
_QUARTER = np.pi / 2
ASIDE_M = 0.072
"""How far from the post's axis the fingertips pass it [m]."""
PROBING_RAD = 0.95
"""So steep that the gripper's housing stays over the post; only the fingers can meet it."""


def red_bottle(homes: Homes, rng: np.random.Generator) -> dict[str, HandScript]:
    """Take the red bottle with the right hand and hold it up."""
    del rng
    grip = Grip(thing='red_bottle', height_m=0.075, lift_m=0.12)
    return {'right': HandScript('right', grip, None, homes['right'])}


def pink_to_target(homes: Homes, rng: np.random.Generator) -> dict[str, HandScript]:
    """Take the block along its sides with the right hand and set it down on the mark."""
    del rng

    def heading(view: View) -> float:
        """Return the heading along a side of the block that suits the arm best."""
        turned = view.heading('pink_object')
        return float((turned - 0.5 + _QUARTER / 2) % _QUARTER - _QUARTER / 2 + 0.5)

    def on_mark(view: View) -> bool:
        away = view.place('pink_object') - view.place('target')
        return bool(np.linalg.norm(away[:2]) < ON_SPOT_M)

    grip = Grip(thing='pink_object', height_m=0.045, lift_m=0.08, heading=heading)
    delivery = Delivery(
        place=lambda view: np.array([*view.place('target')[:2], _TABLE_M + 0.004]),
        hover_m=0.05,
        allowed=lambda view: True,
        satisfied=on_mark,
    )
    return {'right': HandScript('right', grip, delivery, homes['right'])}


def pot_potato(homes: Homes, rng: np.random.Generator) -> dict[str, HandScript]:
    """Take the lid off with the left hand, then put the potato in with the right.

    One after the other, each from its home, and the potato, which fits between the jaws whichever
    way it lies, at the heading that suits the arm: so what a hand does next is seen in one look.
    docs/data.md tells what came of demonstrations without that.
    """
    del rng

    def lid_off(view: View) -> bool:
        away = view.place('lid')[:2] - view.place('pot')[:2]
        return bool(np.linalg.norm(away) > 2 * POT_RADIUS_M)

    def potato_in(view: View) -> bool:
        away = view.place('potato') - view.place('pot')
        return bool(np.linalg.norm(away[:2]) < POT_RADIUS_M)

    left = HandScript(
        'left',
        Grip(thing='lid', height_m=0.029, lift_m=0.05),
        Delivery(
            place=lambda view: np.array([*_LID_SPOT, _TABLE_M + 0.010]),
            hover_m=0.08,
            allowed=lambda view: True,
            satisfied=lid_off,
        ),
        homes['left'],
    )

    def open_and_free(view: View) -> bool:
        return lid_off(view) and left.phase in (
            Phase.LOWER,
            Phase.RELEASE,
            Phase.RETREAT,
            Phase.DONE,
        )

    right = HandScript(
        'right',
        Grip(thing='potato', height_m=0.006, lift_m=0.12, allowed=lid_off),
        Delivery(
            place=lambda view: view.place('pot') + np.array([0.0, 0.0, POT_HEIGHT_M + 0.005]),
            hover_m=0.055,
            allowed=open_and_free,
            satisfied=potato_in,
        ),
        homes['right'],
    )
    return {'left': left, 'right': right}


def around_the_post(homes: Homes, rng: np.random.Generator) -> dict[str, Script]:
    """Bring the right hand's fingertips to the ball, left or right of the post."""
    del homes
    over = np.array([0.0, 0.0, BALL_RADIUS_M + HOVER_M])
    height_m = _TABLE_M + BALL_RADIUS_M + over[2]
    way = Detour(
        start=np.array([*START, height_m]),
        obstacle=lambda view: view.place('post'),
        goal=lambda view: view.place('ball') + over,
        aside_m=ASIDE_M * float(rng.choice([-1.0, 1.0])),
        pitch_rad=PROBING_RAD,
    )
    return {'right': DetourScript('right', way)}


RECIPES: dict[str, Recipe] = {
    'red_bottle': red_bottle,
    'pink_to_target': pink_to_target,
    'pot_potato': pot_potato,
    'around_the_post': around_the_post,
}
