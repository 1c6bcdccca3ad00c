"""Further passes of a training batch's noisy actions, beside which all else stays as it is.

Noisy actions are seen by nobody but themselves. So what one pass of the whole sequence gave as
keys and values serves every further step of the actions, as a cache does in a rollout.

Legend: B batch, A action channels, F frames, N actions a frame, L tokens, S tokens of the whole
sequence.
"""

import torch
from torch import Tensor

from flash_wam_ros.wam.attention import KeyValue, attend
from flash_wam_ros.wam.block import Conditioning
from flash_wam_ros.wam.context import Seen
from flash_wam_ros.wam.embed import actions_from_tokens
from flash_wam_ros.wam.masks import training_mask
from flash_wam_ros.wam.rope import action_grid, rope_table
from flash_wam_ros.wam.streams import StreamBatch, Velocity
from flash_wam_ros.wam.transformer import WorldActionTransformer


class ActingAgain:
    """One pass of a batch, and then those of its actions alone.

    Args:
        model: the network; no flow map.
        video: latents.
        action: normalised actions.
        text_BTE: text embeddings.
        chunk_size: frames denoised together.
        window_size: farthest half-chunk seen.
        seen: what was observed, for a network with an observation context.
        imagination: whether actions see the video of their own chunk.

    Attributes:
        velocity: what the first pass gave.
    """

    def __init__(
        self,
        model: WorldActionTransformer,
        video: StreamBatch,
        action: StreamBatch,
        text_BTE: Tensor,
        *,
        chunk_size: int,
        window_size: int,
        seen: Seen | None = None,
        imagination: bool = True,
    ) -> None:
        kept: list[KeyValue] = []
        self._model, self._kept = model, kept
        self.velocity: Velocity = model(
            video,
            action,
            text_BTE,
            chunk_size=chunk_size,
            window_size=window_size,
            seen=seen,
            imagination=imagination,
            kept=kept,
        )
        frames, actions = action.noisy.shape[2:]
        length = kept[0].key.shape[1]
        size, patch = video.noisy.shape[3:], model.config.patch_size
        own = frames * actions
        self._own = slice(length - 2 * own, length - own)
        mask = training_mask(
            frames,
            (size[0] // patch[1]) * (size[1] // patch[2]),
            actions,
            chunk_size,
            window_size,
            imagination,
        )
        device = action.noisy.device
        self._mask = mask[self._own].to(device)
        self._rope = rope_table(
            action_grid(frames, actions).to(device), model.config.attention_head_dim
        )
        self._rows = torch.arange(frames, device=device).repeat_interleave(actions)
        self._text = model.embed_text(text_BTE)
        told = model.told(seen, text_BTE, chunk_size)
        self._told = None if told is None else told.action_tokens(frames, actions)

    def __call__(self, noisy_BAFN: Tensor, timesteps_BF: Tensor) -> Tensor:
        """Return the velocity (B, A, F, N) of other noisy actions at ``timesteps_BF``."""
        model, frames = self._model, noisy_BAFN.shape[2]
        tokens = model.embed_action(noisy_BAFN.to(model.dtype))
        if self._told is not None:
            tokens = tokens + self._told
        temb, modulation = model.embed_time(timesteps_BF, action=True)
        time = Conditioning(temb, modulation, self._rows)
        hidden = model.run_blocks(tokens, time, self._rope, self._text, self._attend)
        out = model.action_head(hidden, time.per_token(temb))
        velocity = actions_from_tokens(out, frames)
        if self._told is None:
            return velocity
        return velocity + model.action_copy(noisy_BAFN.to(velocity), timesteps_BF)

    def _attend(self, layer: int, query: Tensor, own: KeyValue) -> Tensor:
        whole = KeyValue(
            *(
                torch.cat([kept[:, : self._own.start], new, kept[:, self._own.stop :]], 1)
                for kept, new in zip(self._kept[layer], own, strict=True)
            )
        )
        return attend(query, whole, self._mask)
