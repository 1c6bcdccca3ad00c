"""What a network with an observation context reads beside pictures: joints, perhaps objects."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.settings import from_strict_dict


@dataclass(frozen=True, kw_only=True, slots=True)
class StateConfig:
    """Joint positions, and x y z of objects after them, become (q - mean) / std.

    Attributes:
        mean: of each joint [rad; m for grippers] in environment order, then of objects [m].
        std: likewise, > 0.
        objects: what is told of by a simulator, for trials without eyes; a robot has none.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    objects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse unequal lengths and spreads that divide by nothing."""
        object.__setattr__(self, 'mean', tuple(self.mean))
        object.__setattr__(self, 'std', tuple(self.std))
        object.__setattr__(self, 'objects', tuple(self.objects))
        if len(self.mean) <= 3 * len(self.objects):
            raise UserError(
                f'state: {len(self.mean)} means hold no joint beside {len(self.objects)} objects'
            )
        if len(self.mean) != len(self.std) or not self.mean:
            raise UserError(
                f'state: {len(self.mean)} means and {len(self.std)} spreads; one each a joint'
            )
        if not all(np.isfinite(self.mean)):
            raise UserError('state: a mean is not finite; compute the statistics again')
        if not all(0 < spread < float('inf') for spread in self.std):
            raise UserError('state: a spread is not positive and finite; set a least spread')

    @property
    def size(self) -> int:
        """Return S, the joints and three for each object."""
        return len(self.mean)

    def reading(self, q: np.ndarray, poses: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the (..., S) numbers of joints (..., J) and object poses (..., 7).

        Raises:
            UserError: an object is missing.
        """
        missing = [name for name in self.objects if name not in poses]
        if missing:
            raise UserError(
                f'the model reads where {", ".join(missing)} is, and nobody tells it; run it in '
                'the simulator, on its task'
            )
        return np.concatenate([q, *(poses[name][..., :3] for name in self.objects)], -1)

    def normalise(self, state: Tensor | np.ndarray) -> Tensor:
        """Return (..., S) float32 normalised positions of a :meth:`reading`.

        Raises:
            UserError: another number of them, or numbers that are not finite.
        """
        given = torch.as_tensor(np.asarray(state), dtype=torch.float32)
        if given.shape[-1:] != (self.size,):
            raise UserError(f'{tuple(given.shape)} joint positions, the model reads {self.size}')
        if not bool(torch.isfinite(given).all()):
            raise UserError('joint positions are not all finite; refused')
        return (given - torch.tensor(self.mean)) / torch.tensor(self.std)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> 'StateConfig':
        """Return the configuration written by :meth:`to_dict`."""
        return from_strict_dict(cls, values, 'state')

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON keeps them."""
        values = {name: list(numbers) for name, numbers in asdict(self).items()}
        if not self.objects:
            del values['objects']
        return values
