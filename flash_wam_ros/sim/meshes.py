"""Decimated copies of the G1's meshes: light enough to render on a CPU."""

from pathlib import Path

import fast_simplification
import numpy as np
import trimesh
from rich.console import Console
from rich.progress import track

from flash_wam_ros.sim.assets import G1Assets
from flash_wam_ros.sim.cache import cached_folder

TARGET_FACES = 900
# Vertices closer than a millimetre are welded first: the originals have seams along which
# nothing could be removed otherwise.
WELD_DIGITS = 3
_UNUSED = ('_hand_', '_rubber_hand')


def decimated_meshes(assets: G1Assets, target_faces: int = TARGET_FACES) -> Path:
    """Return a folder with every body mesh of ``assets`` cut to about ``target_faces`` faces.

    It is built once for each version of the source and each setting; hands, which the
    description replaces by grippers, are left out.
    """
    sources = sorted(
        path
        for path in assets.meshes.glob('*.STL')
        if not any(part in path.stem for part in _UNUSED)
    )

    def build(folder: Path) -> None:
        console = Console(stderr=True)
        for path in track(
            sources, description='decimating G1 meshes (once)', console=console, transient=True
        ):
            _decimate(path, folder / path.name, target_faces)

    return cached_folder(f'g1-meshes-{assets.version}-{target_faces}-{WELD_DIGITS}', build)


def _decimate(source: Path, target: Path, target_faces: int) -> None:
    mesh = trimesh.load_mesh(source, file_type='stl')
    mesh.merge_vertices(digits_vertex=WELD_DIGITS)
    mesh.update_faces(mesh.nondegenerate_faces())
    vertices = np.asarray(mesh.vertices, np.float32)
    faces = np.asarray(mesh.faces, np.int32)
    if len(faces) > target_faces:
        vertices, faces = fast_simplification.simplify(vertices, faces, target_count=target_faces)
    trimesh.Trimesh(vertices, faces, process=False).export(target, file_type='stl')
