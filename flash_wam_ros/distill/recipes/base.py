"""What every recipe is: a small frozen dataclass that makes an objective out of a teacher."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from flash_wam_ros.core import UserError
from flash_wam_ros.distill.consistency import ConsistencyFunction
from flash_wam_ros.distill.noising import LevelConfig
from flash_wam_ros.distill.objective import Objective


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a recipe is applied to.

    Attributes:
        levels: noise-level tables of both streams.
        chunk_size: latent frames denoised together.
        empty_text: embedding of the empty prompt (1, L, D), for guidance.
    """

    levels: LevelConfig
    chunk_size: int
    empty_text: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe(ABC):
    """A way to make a few-step student.

    Attributes:
        ema_decay: decay of the student's moving average, after each step.
        guidance_min: least guidance scale of the teacher's video velocity.
        guidance_max: largest one; the scale is uniform between the two, one a batch.
        huber_c: where the pseudo-Huber loss turns from quadratic to linear.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    trains: ClassVar[bool] = True
    ema_decay: float = 0.995
    guidance_min: float = 2.0
    guidance_max: float = 10.0
    huber_c: float = 0.001

    def __post_init__(self) -> None:
        if not 0.0 <= self.ema_decay < 1.0:
            raise UserError(f'ema_decay {self.ema_decay} must be in [0, 1); the paper has 0.995')
        if not 1.0 <= self.guidance_min <= self.guidance_max < float('inf'):
            raise UserError(
                f'guidance [{self.guidance_min}, {self.guidance_max}] must rise and start at '
                '1 or above; the paper has [2, 10]'
            )
        if not 0.0 < self.huber_c < float('inf'):
            raise UserError(f'huber_c {self.huber_c} must be above 0; the paper has 0.001')

    @abstractmethod
    def objective(self, teacher: nn.Module, setting: Setting) -> Objective:
        """Return the objective that distils ``teacher`` (which is copied, never changed)."""

    def video_function(self) -> ConsistencyFunction | None:
        """Return the function the video stream is trained under; None: Euler."""
        return None

    def action_function(self) -> ConsistencyFunction | None:
        """Return the function the action stream is trained under; None: Euler."""
        return None
