"""The G1 description and meshes that the package ``example-robot-data`` brings along."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from flash_wam_ros.core import UserError

PACKAGE = 'example-robot-data'
URDF_NAME = 'g1_29dof_rev_1_0.urdf'
MESH_PACKAGE_URI = f'package://{PACKAGE}/robots/g1_description/meshes'


@dataclass(frozen=True, kw_only=True, slots=True)
class G1Assets:
    """Files of the G1 as its maker describes it.

    Attributes:
        urdf: the URDF with 29 joints and rubber hands.
        meshes: folder of its STL meshes.
        version: version of the package that they came from.
    """

    urdf: Path
    meshes: Path
    version: str


def find_g1_assets() -> G1Assets:
    """Return the installed G1 files.

    Raises:
        UserError: example-robot-data is absent, or holds no such URDF.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        raise UserError(
            f'the G1 meshes are missing: package {PACKAGE} is not installed; '
            f'run: pip install {PACKAGE}'
        ) from None
    for entry in package.files or ():
        if entry.name == URDF_NAME:
            urdf = Path(str(entry.locate())).resolve()
            meshes = urdf.parent.parent / 'meshes'
            if urdf.is_file() and meshes.is_dir():
                return G1Assets(urdf=urdf, meshes=meshes, version=package.version)
    raise UserError(
        f'{PACKAGE} {package.version} has no {URDF_NAME} with meshes; '
        'install version 6.0.0 or newer'
    )
