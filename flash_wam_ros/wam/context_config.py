"""Sizes of the observation context that small networks have."""

from dataclasses import dataclass

from flash_wam_ros.core import UserError


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextConfig:
    """Parts of :class:`~flash_wam_ros.wam.context.ObservationContext`.

    Attributes:
        state_dim: joint positions told with each observation; 0 for none.
        stem_channels: channels of the convolutional stem, even.
        keypoints: goal-specific key points of each view.
        upsample: finer than the latents the stem works, in each direction.
        views: (top, left, height, width) in latents of each camera on the canvas, in which its
            key points are sought; empty for one view, the whole canvas.
    """

    state_dim: int = 0
    stem_channels: int = 32
    keypoints: int = 24
    upsample: int = 2
    views: tuple[tuple[int, int, int, int], ...] = ()

    def __post_init__(self) -> None:
        """Refuse sizes that no stem can have."""
        views = tuple((int(t), int(x), int(h), int(w)) for t, x, h, w in self.views)
        object.__setattr__(self, 'views', views)
        for top, left, height, width in views:
            if not (top >= 0 and left >= 0 and height >= 1 and width >= 1):
                raise UserError(
                    f'context: view {(top, left, height, width)} must be top and left >= 0, '
                    'height and width >= 1'
                )
        if self.state_dim < 0:
            raise UserError(f'context: state_dim is {self.state_dim}, expected >= 0')
        for name in ('stem_channels', 'keypoints', 'upsample'):
            if not getattr(self, name) >= 1:
                raise UserError(f'context: {name} is {getattr(self, name)}, expected >= 1')
        if self.stem_channels % 2:
            raise UserError(f'context: stem_channels is {self.stem_channels}, expected even')
