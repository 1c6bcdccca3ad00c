"""Primitive shapes of household things, with contacts fit for grasping."""

from collections.abc import Sequence

import mujoco

from flash_wam_ros.sim.robot_model import WORLD_BITS

_GEOM = mujoco.mjtGeom
Rgb = tuple[float, float, float]


def add_free_body(spec: mujoco.MjSpec, name: str) -> mujoco.MjsBody:
    """Return a new body ``name`` that moves freely."""
    body = spec.worldbody.add_body(name=name)
    body.add_freejoint()
    return body


def add_shape(
    body: mujoco.MjsBody,
    kind: mujoco.mjtGeom,
    size: Sequence[float],
    *,
    name: str = '',
    pos: Sequence[float] = (0.0, 0.0, 0.0),
    quat: Sequence[float] = (1.0, 0.0, 0.0, 0.0),
    rgb: Rgb = (0.7, 0.7, 0.7),
    mass_kg: float = 0.0,
    touches: bool = True,
) -> mujoco.MjsGeom:
    """Add a primitive to ``body``; ``touches`` False makes it a mere picture."""
    contype, conaffinity = WORLD_BITS if touches else (0, 0)
    return body.add_geom(
        name=name,
        type=kind,
        size=[*size, *[0.0] * (3 - len(size))],
        pos=list(pos),
        quat=list(quat),
        rgba=[*rgb, 1.0],
        mass=mass_kg,
        contype=contype,
        conaffinity=conaffinity,
        condim=4,
        friction=[0.8, 0.01, 0.0005],
        solref=[0.01, 1.0],
    )
