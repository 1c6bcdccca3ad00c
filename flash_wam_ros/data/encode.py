"""Making a latent cache: every segment and camera through a codec, once."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from flash_wam_ros.core import UserError, did_you_mean
from flash_wam_ros.data.files import write_json
from flash_wam_ros.data.latents import (
    DTYPES,
    SPEC_NAME,
    TENSOR_NAME,
    LatentCache,
    LatentSpec,
    file_digest,
)
from flash_wam_ros.data.lerobot import LeRobotReader
from flash_wam_ros.data.segments import EpisodeSegment, all_segments
from flash_wam_ros.data.tensors import save_tensors
from flash_wam_ros.wam.canvas import pixels_from_image
from flash_wam_ros.wam.codec import EncoderStream, VideoCodec

_BLOCK_FRAMES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodeReport:
    """What a run of ``encode_dataset`` did.

    Attributes:
        cache: the cache, complete.
        encoded: files made in this run.
        kept: files that were there already and fit.
        latent_frames: latent frames of the whole cache, summed over cameras.
    """

    cache: LatentCache
    encoded: int
    kept: int
    latent_frames: int


def encode_dataset(
    reader: LeRobotReader,
    codec: VideoCodec,
    spec: LatentSpec,
    root: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> EncodeReport:
    """Encode what is not encoded yet.

    Args:
        reader: the dataset.
        codec: the codec that ``spec`` names.
        spec: cameras, sizes, stride.
        root: the folder of all caches of the dataset.
        progress: called with (files done, files in all).

    Raises:
        UserError: a camera is missing, sizes do not fit the codec, a video is damaged; files
            made before it stay and are not made again.
    """
    for camera in spec.sizes:
        if camera not in reader.info.cameras:
            raise UserError(
                f'{reader.root} has no camera {camera!r}; '
                f'{did_you_mean(camera, reader.info.cameras)}'
            )
    if spec.temporal_factor != codec.temporal_factor:
        raise UserError(
            f"temporal factor {spec.temporal_factor} is not the codec's {codec.temporal_factor}"
        )
    cache = LatentCache(root=root, spec=spec, segments=tuple(all_segments(reader)))
    write_json(cache.folder / SPEC_NAME, spec.to_json())
    digests: dict[Path, str] = {}
    total, encoded = len(cache.segments) * len(spec.sizes), 0
    for done, (index, camera) in enumerate(_jobs(cache), start=1):
        source = _source(reader, cache.segments[index], camera, digests)
        if _stored_source(cache.path(index, camera)) != source:
            latents = _encode(reader, codec, cache, index, camera)
            _store(cache.path(index, camera), latents, source)
            encoded += 1
        progress(done, total)
    frames = sum(cache.grid(i).latent_frames for i in range(len(cache.segments)))
    return EncodeReport(
        cache=cache,
        encoded=encoded,
        kept=total - encoded,
        latent_frames=frames * len(spec.sizes),
    )


def _jobs(cache: LatentCache) -> Iterator[tuple[int, str]]:
    for index in range(len(cache.segments)):
        for camera in cache.spec.sizes:
            yield index, camera


def _source(
    reader: LeRobotReader, segment: EpisodeSegment, camera: str, digests: dict[Path, str]
) -> str:
    """Return a digest of the video that a segment shows."""
    record = reader.episodes[segment.episode]
    path = reader.source(segment.episode, camera)
    place = record.videos[camera].from_s if camera in record.videos else record.data_row
    if path not in digests:
        digests[path] = file_digest(path)
    facts = [digests[path], place, reader.info.fps, segment.start, segment.end]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _stored_source(path: Path) -> str | None:
    """Return from what a file was made, None if it is absent or damaged."""
    try:
        with safe_open(path, framework='pt') as file:
            return (file.metadata() or {}).get('source')
    except (OSError, SafetensorError):
        return None


def _encode(
    reader: LeRobotReader, codec: VideoCodec, cache: LatentCache, index: int, camera: str
) -> Tensor:
    segment, size = cache.segments[index], cache.spec.sizes[camera]
    stream = EncoderStream(codec, (camera,))
    frames, parts = cache.grid(index).frame_ids, []
    for start in range(0, len(frames), _BLOCK_FRAMES):
        images = reader.images(segment.episode, camera, frames[start : start + _BLOCK_FRAMES])
        pixels = torch.stack([pixels_from_image(image, size) for image in images], dim=1)
        parts.append(stream.push(pixels.unsqueeze(0))[0].cpu())
    latents = torch.cat(parts, dim=1)
    if not bool(torch.isfinite(latents).all()):
        raise UserError(
            f'the codec gave latents that are not finite for {camera} of {segment.name}; '
            'check the codec'
        )
    return latents.to(DTYPES[cache.spec.dtype]).contiguous()


def _store(path: Path, latents: Tensor, source: str) -> None:
    save_tensors(path, {TENSOR_NAME: latents}, {'source': source})
