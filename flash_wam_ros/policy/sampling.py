"""How a world-action model is sampled, in one word: ``1v1a``, ``1v2a+trained``, ``0v1a``."""

import re
from dataclasses import dataclass, replace

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.config import GuidanceConfig, WamConfig

_EXTRA = r'\+(trained|euler|[gt]\d+(\.\d+)?)'
_FORM = re.compile(rf'(?P<video>\d+)v(?P<action>\d+)a(?P<extras>({_EXTRA})*)')


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """Steps and functions of a rollout.

    Attributes:
        video_steps: network passes of the video; 0 acts without imagination.
        action_steps: network passes of the actions.
        video_head: ``consistency`` for the function that the video was trained under, ``x0`` for
            plain Euler; None keeps the model's own.
        guidance: scale of the video's classifier-free guidance; None keeps the model's own.
        temperature: size of the noise that the actions start from; None keeps the model's own.
    """

    video_steps: int
    action_steps: int
    video_head: str | None = None
    guidance: float | None = None
    temperature: float | None = None

    @classmethod
    def parse(cls, text: str) -> 'Sampling':
        """Return what ``text`` says.

        Args:
            text: VvAa with V and A steps, then any of ``+trained``, ``+euler``, ``+gS``
                (guidance) and ``+tT`` (temperature).

        Raises:
            UserError: it is of another form.
        """
        found = _FORM.fullmatch(text)
        if not found:
            raise UserError(
                f'sampling {text!r} is not of the form 1v1a, 1v2a+trained, 25v50a+g5 or 1v1a+t0'
            )
        head, guidance, temperature = None, None, None
        for extra in found['extras'].split('+')[1:]:
            if extra.startswith('g'):
                guidance = float(extra[1:])
            elif extra.startswith('t') and extra != 'trained':
                temperature = float(extra[1:])
            else:
                head = 'consistency' if extra == 'trained' else 'x0'
        return cls(
            video_steps=int(found['video']),
            action_steps=int(found['action']),
            video_head=head,
            guidance=guidance,
            temperature=temperature,
        )

    def applied(self, config: WamConfig) -> WamConfig:
        """Return ``config`` sampled so; UserError for counts below one."""
        guidance = config.guidance
        if self.guidance is not None:
            guidance = GuidanceConfig(video=self.guidance, action=guidance.action)
        return replace(
            config,
            video=replace(config.video, steps=max(self.video_steps, 1), exec_steps=-1),
            imagination=self.video_steps > 0,
            action=replace(config.action, steps=self.action_steps),
            guidance=guidance,
            video_head=self.video_head or config.video_head,
            temperature=config.temperature if self.temperature is None else self.temperature,
        )
