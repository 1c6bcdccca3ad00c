"""What a chunk costs by arithmetic: multiply-adds, tokens, bytes; for both plans.

A chunk here is one round of the running loop: commit what was seen and done, then imagine and act.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flash_wam_ros.wam.config import WamConfig


@dataclass(frozen=True, slots=True)
class PassShape:
    """One network pass.

    Attributes:
        streams: batch of prompts.
        segments: (tokens, keys they see, whether they are actions) of each segment.
        embeds_text: whether it projects the text anew.
        time_rows: timesteps that it embeds.
    """

    streams: int
    segments: tuple[tuple[int, int, bool], ...]
    embeds_text: bool
    time_rows: int

    @property
    def tokens(self) -> int:
        """Return the tokens of all streams."""
        return self.streams * sum(count for count, _, _ in self.segments)


@dataclass(frozen=True, slots=True)
class ChunkCost:
    """Cost of one chunk.

    Attributes:
        passes: network passes.
        tokens: tokens of all passes.
        macs: multiply-adds of all matrix products.
        read_bytes: weights and visible cache, read once a pass.
    """

    passes: int
    tokens: int
    macs: int
    read_bytes: int


def _keys(config: WamConfig, history: int) -> dict[str, int]:
    """Return the keys seen by each kind of segment with ``history`` pairs in the cache."""
    video, action, pairs = config.video_tokens, config.action_tokens, config.chunk.pairs
    pair, capacity = video + action, pairs * (video + action)
    before = min(history, pairs - 1) * pair
    return {
        'commit_video': before + video,
        'commit_action': before + pair,
        # The oldest video, then the oldest actions, make room at capacity.
        'video': min(before + pair + video, capacity),
        'action': min(before + 2 * pair, capacity),
    }


def reference_passes(config: WamConfig, history: int) -> Iterator[PassShape]:
    """Yield the passes of the published server, ``history`` pairs committed before."""
    streams = 2 if config.guidance.active else 1
    keys = _keys(config, history)
    video, action = config.video_tokens, config.action_tokens
    order = [
        ('commit_video', video, 1),
        ('commit_action', action, 1),
        ('video', video, config.video.steps + 1),
        ('action', action, config.action.steps + 1),
    ]
    for kind, tokens, times in order:
        segment = (tokens, keys[kind], 'action' in kind)
        for _ in range(times):
            yield PassShape(streams, (segment,), True, streams * tokens)


def fused_passes(config: WamConfig, history: int) -> Iterator[PassShape]:
    """Yield the passes of the fused plan, ``history`` pairs committed before."""
    both = 2 if config.guidance.active else 1
    keys = _keys(config, history)
    video = (config.video_tokens, keys['video'], False)
    action = (config.action_tokens, keys['action'], True)
    commits = (
        (config.video_tokens, keys['commit_video'], False),
        (config.action_tokens, keys['commit_action'], True),
    )
    yield PassShape(both, (*commits, video), False, 0)
    for _ in range(config.video.steps - 1):
        yield PassShape(both if config.guidance.video > 1 else 1, (video,), False, 0)
    streams = both if config.guidance.action > 1 else 1
    yield PassShape(streams, (video, action), False, 0)
    for _ in range(config.action.steps - 1):
        yield PassShape(streams, (action,), False, 0)


def pass_macs(config: WamConfig, shape: PassShape, text_tokens: int) -> int:
    """Return the multiply-adds of one pass.

    The last block and the heads go on with the last segment alone.
    """
    model = config.model
    width, streams = model.width, shape.streams
    tokens = sum(size for size, _, _ in shape.segments)
    seen = sum(size * visible for size, visible, _ in shape.segments)
    count, keys, action = shape.segments[-1]

    def block(looking: int, seen: int) -> int:
        """Return the products of one block where ``looking`` tokens go on and all are seen."""
        linear = 2 * tokens * width**2 + looking * (4 * width**2 + 2 * width * model.ffn_dim)
        return linear + 2 * seen * width + 2 * looking * text_tokens * width

    total = streams * ((model.num_layers - 1) * block(tokens, seen) + block(count, count * keys))
    if shape.embeds_text:
        total += streams * text_tokens * width * (model.text_dim + width)
        total += streams * model.num_layers * 2 * text_tokens * width**2
    total += shape.time_rows * width * (model.freq_dim + 7 * width)
    sizes = {True: model.action_dim, False: model.patch_channels}
    # Streams share their inputs, which are embedded once.
    total += sum(size * sizes[is_action] * width for size, _, is_action in shape.segments)
    return total + streams * count * sizes[action] * width


def chunk_cost(
    config: WamConfig, plan: str, history: int, text_tokens: int, weight_bytes: int, size: int
) -> ChunkCost:
    """Return the cost of one chunk.

    Args:
        config: the model and its steps.
        plan: ``reference`` or ``fused``.
        history: pairs committed before.
        text_tokens: positions of the text embedding.
        weight_bytes: memory of the weights.
        size: bytes of one number.
    """
    passes = list((reference_passes if plan == 'reference' else fused_passes)(config, history))
    kept = 2 * size * config.model.num_layers * config.model.width
    cache = [shape.streams * max(keys for _, keys, _ in shape.segments) * kept for shape in passes]
    return ChunkCost(
        passes=len(passes),
        tokens=sum(shape.tokens for shape in passes),
        macs=sum(pass_macs(config, shape, text_tokens) for shape in passes),
        read_bytes=weight_bytes * len(passes) + sum(cache),
    )
