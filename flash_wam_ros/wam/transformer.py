"""The network: one stack of blocks for video and action tokens (LingBot-VA, shared backbone).

Parameter names are those of the published checkpoint. The network predicts velocities
v = eps - x0 of both modalities.

Legend: B batch, C latent channels, F frames, H W latent canvas, A action channels, N actions a
frame, L tokens, D width, T text tokens, E text channels.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.attention import KeyValue, attend
from flash_wam_ros.wam.block import Attend, Block, Conditioning, modulated_norm
from flash_wam_ros.wam.config import ModelConfig
from flash_wam_ros.wam.context import Context, ObservationContext, Seen
from flash_wam_ros.wam.context_training import TaughtContext
from flash_wam_ros.wam.embed import (
    ConditionEmbedder,
    TargetEmbedder,
    action_tokens,
    actions_from_tokens,
    patchify,
    unpatchify,
)
from flash_wam_ros.wam.masks import training_mask
from flash_wam_ros.wam.rope import Rope, action_grid, rope_table, video_grid
from flash_wam_ros.wam.streams import StreamBatch, Velocity


class WorldActionTransformer(nn.Module):
    """Predicts velocities of latents and actions.

    Args:
        config: its shape.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.recompute_blocks = False
        """Whether training recomputes each block in the backward pass to save memory."""
        self.patch_embedding_mlp = nn.Linear(config.patch_channels, width)
        self.action_embedder = nn.Linear(config.action_dim, width)
        self.condition_embedder = ConditionEmbedder(config.freq_dim, config.text_dim, width)
        self.condition_embedder_action = ConditionEmbedder(config.freq_dim, config.text_dim, width)
        self.blocks = nn.ModuleList(
            Block(
                config.num_attention_heads,
                config.attention_head_dim,
                config.ffn_dim,
                config.cross_attn_norm,
                config.eps,
            )
            for _ in range(config.num_layers)
        )
        self.scale_shift_table = nn.Parameter(torch.randn(1, 2, width) / width**0.5)
        self.proj_out = nn.Linear(width, config.patch_channels)
        self.action_proj_out = nn.Linear(width, config.action_dim)
        self.target_embedder = (
            TargetEmbedder(config.freq_dim, width) if config.target_time else None
        )
        self.context: ObservationContext | None = None
        if config.context is not None:
            self.context = ObservationContext(
                config.context,
                channels=config.in_channels,
                action_dim=config.action_dim,
                text_dim=config.text_dim,
                patch=config.patch_size[1],
                freq_dim=config.freq_dim,
                width=width,
            )

    @property
    def dtype(self) -> torch.dtype:
        """Return the type that tokens are computed in."""
        return self.patch_embedding_mlp.weight.dtype

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""
        return self.patch_embedding_mlp.weight.device

    def embed_video(self, latents_BCFHW: Tensor) -> Tensor:
        """Return (B, L, D) video tokens ordered (f, h, w)."""
        return self.patch_embedding_mlp(patchify(latents_BCFHW, self.config.patch_size))

    def embed_action(self, actions_BAFN: Tensor) -> Tensor:
        """Return (B, F*N, D) action tokens ordered (f, n)."""
        return self.action_embedder(action_tokens(actions_BAFN))

    def embed_text(self, text_BTE: Tensor) -> Tensor:
        """Return (B, T, D) text tokens, for both modalities."""
        return self.condition_embedder.text(text_BTE.to(self.dtype))

    def text_key_values(self, text_BTE: Tensor) -> list[KeyValue]:
        """Return the keys and values of a text in every layer, to be kept for an episode."""
        text_BTD = self.embed_text(text_BTE)
        return [cast(Block, block).attn2.key_value(text_BTD) for block in self.blocks]

    def embed_time(
        self, timesteps: Tensor, *, action: bool, targets: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return temb (..., D) and modulation (..., 6, D) of ``timesteps`` (...).

        Args:
            timesteps: of tokens or frames.
            action: of which modality.
            targets: (...) timesteps that the actions of a flow map shall reach; 0 if None, as
                for clean actions. Other networks do not read them.
        """
        if not action:
            return self.condition_embedder.time(timesteps, self.dtype)
        target = None
        if self.target_embedder is not None:
            target = self.target_embedder(
                torch.zeros_like(timesteps) if targets is None else targets
            )
        return self.condition_embedder_action.time(timesteps, self.dtype, target)

    def run_blocks(
        self,
        tokens_BLD: Tensor,
        time: Conditioning,
        rope: Rope,
        text: Tensor | list[KeyValue],
        self_attend: Attend,
        skip: int = 0,
    ) -> Tensor:
        """Return (B, L - skip, D) hidden tokens after the last block.

        Args:
            tokens_BLD: embedded tokens of either modality, or both.
            time: their conditioning.
            rope: their rotations.
            text: (B, T, D) text tokens, or keys and values of every layer.
            self_attend: what the tokens see in each layer.
            skip: first tokens whose output nobody reads; the last block gives them no more than
                keys and values.
        """
        last = len(self.blocks) - 1
        for layer, block in enumerate(self.blocks):
            words = text if isinstance(text, Tensor) else text[layer]
            unread = skip if layer == last else 0
            args = (layer, tokens_BLD, time, rope, words, self_attend, unread)
            if self.recompute_blocks and torch.is_grad_enabled():
                tokens_BLD = checkpoint(block, *args, use_reentrant=False)
            else:
                tokens_BLD = block(*args)
        return tokens_BLD

    def video_head(self, hidden_BLD: Tensor, temb: Tensor) -> Tensor:
        """Return (B, L, C*ph*pw) velocity tokens; ``temb`` is (B or 1, L, D)."""
        return self.proj_out(self._head_norm(hidden_BLD, temb))

    def action_head(self, hidden_BLD: Tensor, temb: Tensor) -> Tensor:
        """Return (B, L, A) velocity tokens; ``temb`` is (B or 1, L, D)."""
        return self.action_proj_out(self._head_norm(hidden_BLD, temb))

    def _head_norm(self, hidden_BLD: Tensor, temb: Tensor) -> Tensor:
        shift, scale = (self.scale_shift_table.unsqueeze(1) + temb.unsqueeze(2)).unbind(2)
        return modulated_norm(hidden_BLD, shift, scale, self.config.eps)

    def observation_context(
        self, still_BC1HW: Tensor, text_BTE: Tensor, state_BS: Tensor | None
    ) -> Context | None:
        """Return what the next chunk is told of the present; None if the network has no context.

        Args:
            still_BC1HW: the newest latents, of batch 1 or B.
            text_BTE: embeddings of the B streams.
            state_BS: normalised joint positions, of batch 1 or B.
        """
        if self.context is None:
            return None
        streams = text_BTE.shape[0]
        still = still_BC1HW.expand(streams, -1, -1, -1, -1)
        state = None if state_BS is None else state_BS.expand(streams, -1)
        return cast(Context, self.context(still, text_BTE, state))

    def context_tokens(self, context: Context, frames: int, actions: int | None) -> Tensor:
        """Return what a chunk's noisy tokens are told: its video's, or its actions' if given."""
        told = cast(ObservationContext, self.context)
        if actions is None:
            return told.video_tokens(context, frames)
        return told.action_tokens(context, frames, actions)

    def video_copy(self, noisy_BCFHW: Tensor, context: Context, timesteps_BF: Tensor) -> Tensor:
        """Return the copy path of the video velocity."""
        told = cast(ObservationContext, self.context)
        return told.video_copy(noisy_BCFHW, context.still, timesteps_BF)

    def action_copy(self, noisy_BAFN: Tensor, timesteps_BF: Tensor) -> Tensor:
        """Return the copy path of the action velocity."""
        return cast(ObservationContext, self.context).action_copy(noisy_BAFN, timesteps_BF)

    def latents_from_tokens(self, tokens_BLO: Tensor, frames: int, rows: int) -> Tensor:
        """Return (B, C, F, H, W) of video head outputs; ``rows`` is H over the patch's rows."""
        columns = tokens_BLO.shape[1] // (frames * rows)
        return unpatchify(tokens_BLO, frames, rows, columns, self.config.patch_size)

    def forward_train(
        self,
        video: StreamBatch,
        action: StreamBatch,
        text_BTE: Tensor,
        *,
        chunk_size: int,
        window_size: int,
        seen: Seen | None = None,
        imagination: bool = True,
    ) -> Velocity:
        """Return the velocities of the noisy copies under teacher forcing.

        Each sample is run as [noisy video | clean video | noisy action | clean action] with the
        mask of :func:`~flash_wam_ros.wam.masks.training_mask`.

        Args:
            video: latents.
            action: normalised actions.
            text_BTE: text embeddings, all positions attended.
            chunk_size: frames denoised together.
            window_size: farthest half-chunk seen.
            seen: what was really observed, for a network with an observation context; each
                chunk is told the frame before it, the first chunk its own first frame.
            imagination: whether actions see the video of their own chunk.

        Raises:
            UserError: shapes that do not fit each other or the network.
        """
        return self(
            video,
            action,
            text_BTE,
            chunk_size=chunk_size,
            window_size=window_size,
            seen=seen,
            imagination=imagination,
        )

    def forward(
        self,
        video: StreamBatch,
        action: StreamBatch,
        text_BTE: Tensor,
        *,
        chunk_size: int,
        window_size: int,
        seen: Seen | None = None,
        imagination: bool = True,
        kept: list[KeyValue] | None = None,
    ) -> Velocity:
        """Do what :meth:`forward_train` says, through the module's call so that hooks run.

        A list ``kept`` is given the keys and values (B, S, h, K) of every layer.
        """
        self._check_training(video, action, text_BTE)
        frames, height, width = video.noisy.shape[2:]
        actions = action.noisy.shape[3]
        rows, columns = height // self.config.patch_size[1], width // self.config.patch_size[2]
        told = self.told(seen, text_BTE, chunk_size)
        parts = [
            *(self.embed_video(part.to(self.dtype)) for part in (video.noisy, video.clean)),
            *(self.embed_action(part.to(self.dtype)) for part in (action.noisy, action.clean)),
        ]
        if told is not None:
            parts[0] = parts[0] + told.video_tokens(frames)
            parts[2] = parts[2] + told.action_tokens(frames, actions)
        tokens = torch.cat(parts, 1)
        time = self._training_time(video, action, rows * columns)
        grids = [video_grid(frames, rows, columns)] * 2 + [action_grid(frames, actions)] * 2
        rope = rope_table(torch.cat(grids, 1).to(tokens.device), self.config.attention_head_dim)
        mask = training_mask(frames, rows * columns, actions, chunk_size, window_size, imagination)
        mask = mask.to(tokens.device)

        def see(_: int, query: Tensor, own: KeyValue) -> Tensor:
            if kept is not None:
                kept.append(own)
            return attend(query, own, mask)

        hidden = self.run_blocks(tokens, time, rope, self.embed_text(text_BTE), see)
        temb = time.per_token(time.temb)
        v_len, a_len = frames * rows * columns, frames * actions
        video_out = self.video_head(hidden[:, :v_len], temb[:, :v_len])
        noisy_actions = slice(2 * v_len, 2 * v_len + a_len)
        action_out = self.action_head(hidden[:, noisy_actions], temb[:, noisy_actions])
        velocity = Velocity(
            self.latents_from_tokens(video_out, frames, rows),
            actions_from_tokens(action_out, frames),
        )
        return velocity if told is None else told.copied(velocity, video, action)

    def told(self, seen: Seen | None, text_BTE: Tensor, chunk_size: int) -> TaughtContext | None:
        """Return the contexts of all chunks; None for a network that is told nothing."""
        if self.context is None:
            return None
        if seen is None:
            raise UserError('this network has an observation context; pass what was seen')
        state = None if seen.state is None else seen.state.to(self.dtype)
        seen = Seen(seen.latents.to(self.dtype), state)
        return TaughtContext(self.context, seen, text_BTE.to(self.dtype), chunk_size)

    def _training_time(
        self, video: StreamBatch, action: StreamBatch, per_frame: int
    ) -> Conditioning:
        """Return the conditioning of the four parts, embedded once a frame."""
        targets = action.t_target
        if targets is not None:
            targets = torch.cat([targets, torch.zeros_like(action.t_clean)], 1)
        elif self.target_embedder is not None:
            raise UserError('a flow map needs target times; give t_target of the actions')
        times = [torch.cat([s.t_noisy, s.t_clean], 1) for s in (video, action)]
        parts = [
            self.embed_time(times[0], action=False),
            self.embed_time(times[1], action=True, targets=targets),
        ]
        frames, actions = action.noisy.shape[2:]
        repeats = torch.tensor([per_frame, actions]).repeat_interleave(2 * frames)
        rows = torch.arange(4 * frames).repeat_interleave(repeats)
        return Conditioning(
            torch.cat([temb for temb, _ in parts], 1),
            torch.cat([modulation for _, modulation in parts], 1),
            rows.to(video.noisy.device),
        )

    def _check_training(self, video: StreamBatch, action: StreamBatch, text_BTE: Tensor) -> None:
        batch, frames = video.noisy.shape[0], video.noisy.shape[2]
        latent = (batch, self.config.in_channels, frames, *video.noisy.shape[3:])
        actions = (batch, self.config.action_dim, frames, *action.noisy.shape[3:])
        text = (batch, *text_BTE.shape[1:2], self.config.text_dim)
        expected = {
            'noisy latents': (video.noisy, latent),
            'clean latents': (video.clean, latent),
            'noisy actions': (action.noisy, actions),
            'clean actions': (action.clean, actions),
            'noisy video timesteps': (video.t_noisy, (batch, frames)),
            'clean video timesteps': (video.t_clean, (batch, frames)),
            'noisy action timesteps': (action.t_noisy, (batch, frames)),
            'clean action timesteps': (action.t_clean, (batch, frames)),
            'text embeddings': (text_BTE, text),
        }
        for name, (tensor, shape) in expected.items():
            if tuple(tensor.shape) != shape:
                raise UserError(
                    f'{name} have shape {tuple(tensor.shape)}, expected {shape}; '
                    'video and actions of a batch cover the same frames'
                )
