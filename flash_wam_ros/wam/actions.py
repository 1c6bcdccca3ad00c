"""The 30 action channels of LingBot-VA: which are used, and how they are normalised.

Channels (LingBot-VA): 0-6 left end effector (x y z [m] and four quaternion components), 7-13
right end effector, 14-20 left arm joints [rad], 21-27 right arm joints, 28 left gripper, 29 right
gripper. A robot uses some of them, in an order of its own: its *environment order*.

Shapes: C channels, U used channels, F latent frames, N actions a frame.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.settings import from_strict_dict

NUM_CHANNELS = 30
# Keeps the scale of a channel that never moves away from zero (LingBot-VA).
_RANGE_GUARD = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionConfig:
    """Which channels a robot uses, and the quantiles that map to -1 and 1.

    Attributes:
        used: (U,) channel of each action in environment order.
        q01: (C,) value that maps to -1: the 1 % quantile of the data set.
        q99: (C,) value that maps to 1: the 99 % quantile.
    """

    used: tuple[int, ...]
    q01: tuple[float, ...]
    q99: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse channels out of range or given twice, and quantiles out of order."""
        size = self.channels
        if not size or len(self.q99) != size:
            raise UserError(
                f'action statistics have {size} values for q01 and {len(self.q99)} for q99; '
                'give both one value a channel'
            )
        if not self.used or len(set(self.used)) != len(self.used):
            raise UserError(
                f'used action channels {self.used} are empty or repeat; name each once'
            )
        for channel in self.used:
            if not 0 <= channel < size:
                raise UserError(
                    f'action channel {channel} outside [0, {size - 1}]; check the used channels'
                )
        for channel, (low, high) in enumerate(zip(self.q01, self.q99, strict=True)):
            if not -float('inf') < low <= high < float('inf'):
                raise UserError(
                    f'action channel {channel} has quantiles [{low}, {high}]; '
                    'expected finite numbers, q01 <= q99; check the statistics'
                )

    @property
    def channels(self) -> int:
        """Return C, the channels of the model."""
        return len(self.q01)

    @property
    def num_used(self) -> int:
        """Return U, the channels that the robot uses."""
        return len(self.used)

    @property
    def inverse(self) -> tuple[int, ...]:
        """Return (C,) the place of each channel in environment order, U where it is unused."""
        place = {channel: index for index, channel in enumerate(self.used)}
        return tuple(place.get(channel, self.num_used) for channel in range(self.channels))

    @classmethod
    def from_limits(
        cls, used: Sequence[int], lower: Sequence[float], upper: Sequence[float]
    ) -> 'ActionConfig':
        """Return the layout whose -1 and 1 are (U,) limits in environment order.

        It stands in until a data set gives quantiles; unused channels get [0, 0].
        """
        if not len(used) == len(lower) == len(upper):
            raise UserError(
                f'{len(used)} action channels with {len(lower)} lower and {len(upper)} upper '
                'limits; give one pair a channel'
            )
        limits = {
            channel: (float(low), float(high))
            for channel, low, high in zip(used, lower, upper, strict=True)
        }
        pairs = [limits.get(channel, (0.0, 0.0)) for channel in range(NUM_CHANNELS)]
        q01, q99 = zip(*pairs, strict=True)
        return cls(used=tuple(used), q01=q01, q99=q99)

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> 'ActionConfig':
        """Return the configuration written by :meth:`to_dict`; unknown keys raise UserError."""
        given: dict[str, Any] = dict(values)
        for name, convert in (('used', int), ('q01', float), ('q99', float)):
            if name in given:
                given[name] = tuple(convert(value) for value in given[name])
        return from_strict_dict(cls, given, 'actions')

    def to_dict(self) -> dict[str, list[float]]:
        """Return plain lists, as JSON keeps them."""
        return {'used': list(self.used), 'q01': list(self.q01), 'q99': list(self.q99)}


class ActionLayout:
    """Maps actions between environment order in SI units and the model's normalised channels.

    Args:
        config: channels and quantiles.
        device: where the tensors to be mapped live.
        dtype: type to compute in; quantiles are kept in it.
    """

    def __init__(
        self,
        config: ActionConfig,
        device: torch.device | str = 'cpu',
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config = config
        self.dtype = dtype
        self._used = torch.tensor(config.used, device=device)
        low = torch.tensor(config.q01, device=device, dtype=dtype)[self._used]
        high = torch.tensor(config.q99, device=device, dtype=dtype)[self._used]
        self._low_U11 = low[:, None, None]
        self._range_U11 = (high - low + _RANGE_GUARD)[:, None, None]
        self.mask_C = torch.zeros(config.channels, dtype=torch.bool, device=device)
        """(C,) true for used channels."""
        self.mask_C[self._used] = True

    def normalise(self, actions: Tensor) -> Tensor:
        """Return (..., C, F, N) normalised channels of (..., U, F, N) actions, unused ones zero.

        Raises:
            UserError: wrong number of channels, or numbers that are not finite.
        """
        self._check(actions, self.config.num_used, 'actions in environment order')
        scaled = (actions.to(self.dtype) - self._low_U11) / self._range_U11 * 2 - 1
        shape = (*actions.shape[:-3], self.config.channels, *actions.shape[-2:])
        channels = scaled.new_zeros(shape)
        channels.index_copy_(scaled.ndim - 3, self._used, scaled)
        return channels

    def denormalise(self, channels: Tensor) -> Tensor:
        """Return (..., U, F, N) actions in environment order of (..., C, F, N) channels.

        Nothing is clipped: values beyond the quantiles are extrapolated.

        Raises:
            UserError: wrong number of channels, or numbers that are not finite.
        """
        self._check(channels, self.config.channels, 'normalised action channels')
        chosen = channels.index_select(channels.ndim - 3, self._used).to(self.dtype)
        return (chosen + 1) / 2 * self._range_U11 + self._low_U11

    @staticmethod
    def _check(values: Tensor, expected: int, what: str) -> None:
        if values.ndim < 3 or values.shape[-3] != expected:
            raise UserError(
                f'{what}: shape {tuple(values.shape)}, expected (..., {expected}, frames, '
                'actions a frame); check which channels the robot uses'
            )
        if not bool(torch.isfinite(values).all()):
            raise UserError(
                f'{what}: not all numbers are finite; refused; check the policy and its statistics'
            )
