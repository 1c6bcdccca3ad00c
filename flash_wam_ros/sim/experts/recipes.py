"""What each task asks of which hand."""

from collections.abc import Callable, Mapping

import mink
import numpy as np

from flash_wam_ros.sim.experts.script import Delivery, Grip, HandScript, Phase
from flash_wam_ros.sim.experts.view import View
from flash_wam_ros.sim.robot_model import PELVIS_HEIGHT_M
from flash_wam_ros.sim.scene import TABLE_TOP_M
from flash_wam_ros.sim.tasks.pink_to_target import ON_SPOT_M
from flash_wam_ros.sim.tasks.pot_potato import POT_HEIGHT_M, POT_RADIUS_M

Homes = Mapping[str, mink.SE3]
_TABLE_M = TABLE_TOP_M - PELVIS_HEIGHT_M
_LID_SPOT = (0.34, 0.315)
_QUARTER = np.pi / 2


def red_bottle(homes: Homes) -> dict[str, HandScript]:
    """Take the red bottle with the right hand and hold it up."""
    grip = Grip(thing='red_bottle', height_m=0.075, lift_m=0.12)
    return {'right': HandScript('right', grip, None, homes['right'])}


def pink_to_target(homes: Homes) -> dict[str, HandScript]:
    """Take the block along its sides with the right hand and set it down on the mark."""

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


def pot_potato(homes: Homes) -> dict[str, HandScript]:
    """Take the lid off with the left hand, then put the potato in with the right."""

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
        Grip(
            thing='potato',
            height_m=0.006,
            lift_m=0.12,
            heading=lambda view: view.heading('potato'),
        ),
        Delivery(
            place=lambda view: view.place('pot') + np.array([0.0, 0.0, POT_HEIGHT_M + 0.005]),
            hover_m=0.055,
            allowed=open_and_free,
            satisfied=potato_in,
        ),
        homes['right'],
    )
    return {'left': left, 'right': right}


RECIPES: dict[str, Callable[[Homes], dict[str, HandScript]]] = {
    'red_bottle': red_bottle,
    'pink_to_target': pink_to_target,
    'pot_potato': pot_potato,
}
