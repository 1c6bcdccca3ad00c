"""The laws of the light codec: it inverts what it keeps, it keeps colour, it survives the disk."""

import numpy as np
import pytest
import torch

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.codec import EncoderStream, VideoCodec
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig

PATCH = 4
FULL = 3 * PATCH**2


def scenes(count=64, size=32, seed=0):
    """Coloured discs on a shaded ground: (N, H, W, 3) uint8."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] / size
    frames = np.empty((count, size, size, 3))
    for frame in frames:
        frame[:] = 80 + 60 * rows[..., None] + generator.normal(0, 2, frame.shape)
        for colour in ((220, 30, 30), (30, 60, 220)):
            y, x, radius = generator.uniform(0.2, 0.8), generator.uniform(0.2, 0.8), 0.12
            frame[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = colour
    return frames.clip(0, 255).astype(np.uint8)


def video_of(frames):
    return (torch.from_numpy(frames).permute(3, 0, 1, 2)[None].float() / 127.5) - 1


def encode(codec, frames, camera='head'):
    return EncoderStream(codec, [camera]).push(video_of(frames))


@pytest.fixture(scope='module')
def frames():
    return scenes()


@pytest.fixture(scope='module')
def codec(frames):
    return LightCodec.fit({'head': frames}, LightCodecConfig(components=12, patch=PATCH))


def test_it_is_a_codec_with_latents_of_its_components(codec, frames):
    latents = encode(codec, frames)
    assert isinstance(codec, VideoCodec)
    assert latents.shape == (1, 12, len(frames), 32 // PATCH, 32 // PATCH)


def test_all_components_together_lose_nothing(frames):
    codec = LightCodec.fit({'head': frames}, LightCodecConfig(components=FULL, patch=PATCH))
    video = video_of(frames)
    returned = codec.decode(encode(codec, frames), ['head'])
    torch.testing.assert_close(returned, video, rtol=0, atol=1e-4)


def test_encoding_what_was_decoded_gives_the_same_latents(codec, frames):
    latents = encode(codec, frames[:4]) * 0.5
    video = codec.decode(latents, ['head'])
    assert video.abs().max() < 1, 'nothing was clipped'
    again = EncoderStream(codec, ['head']).push(video)
    torch.testing.assert_close(again, latents, rtol=0, atol=1e-4)


def test_more_components_never_lose_more(frames):
    errors = []
    for components in (1, 3, 6, 12, 24, FULL):
        codec = LightCodec.fit(
            {'head': frames}, LightCodecConfig(components=components, patch=PATCH)
        )
        video = video_of(frames)
        errors.append(float((codec.decode(encode(codec, frames), ['head']) - video).pow(2).mean()))
    assert errors == sorted(errors, reverse=True)


def test_the_fitted_latents_are_centred_uncorrelated_and_of_mean_variance_one(codec, frames):
    flat = encode(codec, frames)[0].flatten(1).double()
    covariance = flat @ flat.T / flat.shape[1]
    assert flat.mean(1).abs().max() < 1e-5
    assert torch.allclose(covariance, torch.diag(covariance.diag()), atol=1e-4)
    assert covariance.diag().mean() == pytest.approx(1, abs=1e-4)


def test_half_whitening_leaves_the_variances_as_the_standard_deviations_were(codec, frames):
    variances = encode(codec, frames)[0].flatten(1).var(1)
    raw = variances.sqrt() * codec.scale_C
    torch.testing.assert_close(variances / variances[0], raw / raw[0], rtol=1e-3, atol=1e-3)
    assert torch.all(variances.diff() < 0)


def test_the_mean_frame_has_latents_of_zero(codec, frames):
    mean = codec.means['head'][None, :, None]
    latents, _ = codec.encode_step(mean, ['head'], None)
    assert latents.abs().max() < 1e-5


def test_boosted_colour_axes_keep_the_colours_of_unseen_frames_better(frames):
    held_out = scenes(seed=9)
    errors = []
    for gain in (0.25, 2.0):
        codec = LightCodec.fit(
            {'head': frames}, LightCodecConfig(components=6, patch=PATCH, chroma_gain=gain)
        )
        wrong = codec.decode(encode(codec, held_out), ['head']) - video_of(held_out)
        errors.append(float((wrong[:, 0] - wrong[:, 2]).pow(2).mean()))
    assert errors[1] < errors[0]


def test_two_fits_to_the_same_frames_are_one_codec(codec, frames):
    again = LightCodec.fit({'head': frames.copy()}, codec.config)
    assert torch.equal(again.basis_PC, codec.basis_PC)
    assert torch.equal(again.scale_C, codec.scale_C)


def test_each_camera_has_its_own_mean_and_all_share_the_components(frames):
    wide = np.concatenate([scenes(seed=1), scenes(seed=2)], axis=2)
    codec = LightCodec.fit({'head': frames, 'wrist': wide}, LightCodecConfig(patch=PATCH))
    assert codec.means['wrist'].shape == (3, 32, 64)
    latents = encode(codec, wide, 'wrist')
    returned = codec.decode(latents, ['wrist'])
    assert (returned - video_of(wide)).pow(2).mean() < 0.005
    with pytest.raises(UserError, match="did you mean 'head'"):
        encode(codec, frames, 'heads')


def test_with_a_temporal_factor_the_newest_frame_of_each_group_is_kept(frames):
    settings = {'components': FULL, 'patch': PATCH}
    every = LightCodec.fit({'head': frames}, LightCodecConfig(**settings))
    slow = LightCodec.fit({'head': frames}, LightCodecConfig(**settings, temporal_factor=4))
    stream = EncoderStream(slow, ['head'])
    video = video_of(frames[:9])
    latents = torch.cat([stream.push(part) for part in video.split((3, 4, 2), dim=2)], 2)
    kept = encode(every, frames[:9])[:, :, [0, 4, 8]]
    torch.testing.assert_close(latents, kept, rtol=0, atol=1e-6)
    decoded = slow.decode(latents, ['head'])
    shown = video[:, :, [0, *([4] * 4), *([8] * 4)]]
    torch.testing.assert_close(decoded, shown, rtol=0, atol=1e-4)


def test_saving_and_loading_changes_no_bit(codec, frames, tmp_path):
    codec.save(tmp_path / 'vae')
    loaded = LightCodec.load(tmp_path / 'vae')
    assert loaded.config == codec.config
    assert torch.equal(encode(loaded, frames), encode(codec, frames))


def test_an_existing_folder_is_not_written_over_unasked(codec, tmp_path):
    codec.save(tmp_path / 'vae')
    with pytest.raises(UserError, match='exists'):
        codec.save(tmp_path / 'vae')
    codec.save(tmp_path / 'vae', overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ['vae']


def test_frames_of_another_size_than_fitted_are_refused(codec):
    with pytest.raises(UserError, match=r'fitted to \(32, 32\) px'):
        encode(codec, scenes(2, size=64))


@pytest.mark.parametrize(
    ('frames', 'line'),
    [
        ({}, 'no frames'),
        ({'head': np.zeros((2, 32, 32, 3), np.float32)}, 'expected uint8'),
        ({'head': np.zeros((1, 32, 32, 3), np.uint8)}, 'N >= 2'),
        ({'head': np.zeros((2, 30, 32, 3), np.uint8)}, 'not a multiple of the patch'),
        ({'head': np.zeros((2, 32, 32, 3), np.uint8)}, 'keep fewer or give more'),
    ],
)
def test_frames_that_no_codec_can_be_fitted_to_are_refused(frames, line):
    with pytest.raises(UserError, match=line):
        LightCodec.fit(frames, LightCodecConfig(components=12, patch=PATCH))


@pytest.mark.parametrize(
    'change', [{'components': 0}, {'components': FULL + 1}, {'chroma_gain': 0.0}, {'patch': 0}]
)
def test_sizes_that_cannot_be_are_refused(change):
    with pytest.raises(UserError):
        LightCodecConfig(**{'components': 4, 'patch': PATCH, **change})
