"""A network's own imagination in place of the recording, as a rollout has it.

Under teacher forcing actions read the video that really came. In a rollout they read what the
network imagined, and what one step imagines is no recording: it is the mean of all that may come.
Actions that never saw it in training trust it too much.
"""

from dataclasses import replace

import torch
from torch import nn

from flash_wam_ros.distill.noising import Noised, normal_like
from flash_wam_ros.wam.schedule import TRAIN_STEPS


@torch.no_grad()
def with_own_imagination(
    sample: Noised, network: nn.Module, chunk_size: int, rng: torch.Generator
) -> Noised:
    """Return ``sample`` whose last chunk's actions see what one step imagines.

    Earlier chunks stay as recorded, for they are the history of the last one.

    Args:
        sample: what is changed; frames at timestep 0 are known and stay as they are.
        network: imagines, from pure noise, in one Euler step.
        chunk_size: frames in a chunk.
        rng: of the noise.
    """
    window, video = sample.window, sample.window.video
    frames = video.t.shape[1]
    first = (frames - 1) // chunk_size * chunk_size
    own = (torch.arange(frames) >= first).to(video.t.device) & (video.t > 0)
    here = own[:, None, :, None, None]
    noisy = torch.where(here, normal_like(video.noisy, rng), video.noisy)
    start = video.at(noisy, torch.where(own, float(TRAIN_STEPS), video.t))
    made = noisy - network(replace(window, video=start)).video.to(noisy)
    seen = replace(
        video,
        clean=torch.where(here, made, video.clean),
        t_clean=torch.where(own, 0.0, video.t_clean),
    )
    return replace(sample, window=replace(window, video=seen))
