"""The Wan codec, streamed: recorded activations, and equality with one long encoding."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import load_file

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.canvas import CanvasConfig, pixels_from_image
from flash_wam_ros.wam.canvas_codec import CanvasEncoder, decode_canvas
from flash_wam_ros.wam.codec import EncoderStream, VideoCodec
from flash_wam_ros.wam.presets import preset
from flash_wam_ros.wam.wan_codec import WanCodec
from flash_wam_ros.wam.weights import write_folder

GOLDEN = Path(__file__).parents[1] / 'data' / 'golden'
STREAMED = (1, 4, 8, 4)


@pytest.fixture(scope='module')
def config():
    return json.loads((GOLDEN / 'tiny_vae_config.json').read_text())


@pytest.fixture(scope='module')
def recorded():
    return load_file(GOLDEN / 'vae_stream_fp32.safetensors')


@pytest.fixture(scope='module')
def codec(config):
    return WanCodec.from_weights(config, load_file(GOLDEN / 'tiny_vae_encoder.safetensors'))


@pytest.fixture(scope='module')
def whole_vae(config):
    torch.manual_seed(0)
    return AutoencoderKLWan.from_config(config).eval()


def noise(frames, height=32, width=32, batch=1, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, frames, height, width, generator=generator) * 2 - 1


def test_streamed_encoding_gives_the_recorded_activations(codec, recorded):
    memory, parts = None, []
    for video in recorded['in.video'].split(STREAMED, dim=2):
        params, memory = codec.encode_params(video, memory)
        parts.append(params)
    params = torch.cat(parts, 2)
    torch.testing.assert_close(params, recorded['out.stream_params'], rtol=0, atol=1e-6)
    torch.testing.assert_close(params, recorded['out.full_params'], rtol=0, atol=1e-6)


@pytest.mark.parametrize('sizes', [(1,) * 17, (17,), (2, 5, 10), (1, 4, 8, 4), (0, 9, 8)])
def test_frames_give_the_same_latents_however_they_arrive(codec, recorded, config, sizes):
    stream = EncoderStream(codec, ['head'])
    parts = [stream.push(video) for video in recorded['in.video'].split(sizes, dim=2)]
    shape = (1, -1, 1, 1, 1)
    mean = torch.tensor(config['latents_mean']).view(shape)
    std = torch.tensor(config['latents_std']).view(shape)
    expected = (recorded['out.full_params'][:, : len(config['latents_mean'])] - mean) / std
    torch.testing.assert_close(torch.cat(parts, 2), expected, rtol=0, atol=1e-6)
    assert stream.pending == 0


def test_a_latent_appears_with_the_first_frame_and_each_fourth_after_it(codec):
    stream = EncoderStream(codec, ['head'])
    counts = [stream.push(frame).shape[2] for frame in noise(10).split(1, dim=2)]
    assert counts == [1, 0, 0, 0, 1, 0, 0, 0, 1, 0]
    assert stream.pending == 1


def test_reset_forgets_the_episode_and_the_frames_that_waited(codec):
    stream = EncoderStream(codec, ['head'])
    first = stream.push(noise(5))
    stream.push(noise(3, seed=1))
    stream.reset()
    assert stream.pending == 0
    assert torch.equal(stream.push(noise(5)), first)


def test_later_latents_depend_on_earlier_frames_but_not_the_other_way(codec):
    video, other = noise(9), noise(9)
    other[:, :, 5:] = noise(4, seed=2)
    streams = [EncoderStream(codec, ['head']) for _ in range(2)]
    latents, others = streams[0].push(video), streams[1].push(other)
    assert torch.equal(latents[:, :, :2], others[:, :, :2])
    alone = EncoderStream(codec, ['head']).push(video[:, :, 4:])
    assert not torch.allclose(latents[:, :, 2], alone[:, :, 1])


def test_a_refused_video_leaves_the_stream_as_it_was(codec):
    video = noise(5)
    stream, undisturbed = (EncoderStream(codec, ['head']) for _ in range(2))
    stream.push(video[:, :, :3])
    undisturbed.push(video[:, :, :3])
    with pytest.raises(UserError, match='reset the stream'):
        stream.push(noise(1, 64, 64))
    with pytest.raises(UserError, match=r'expected \(1, 3, frames'):
        stream.push(noise(1, batch=2))
    with pytest.raises(UserError, match='does not divide'):
        stream.push(noise(1, 32, 40))
    assert torch.equal(stream.push(video[:, :, 3:]), undisturbed.push(video[:, :, 3:]))


def test_two_streams_share_a_codec_without_sharing_memory(codec):
    videos = noise(9), noise(9, seed=3)
    alone = [EncoderStream(codec, ['head']).push(video) for video in videos]
    streams = [EncoderStream(codec, ['head']) for _ in videos]
    parts = [[], []]
    for begin, end in ((0, 1), (1, 5), (5, 9)):
        for index, stream in enumerate(streams):
            parts[index].append(stream.push(videos[index][:, :, begin:end]))
    for latents, expected in zip(parts, alone, strict=True):
        torch.testing.assert_close(torch.cat(latents, 2), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('frames', [0, 2, 5])
def test_the_codec_itself_takes_one_frame_first(codec, frames):
    with pytest.raises(UserError, match='expected 1 at the start'):
        codec.encode_step(noise(frames), ['head'], None)


def test_after_the_first_frame_the_codec_takes_groups_of_four(codec):
    _, memory = codec.encode_step(noise(1), ['head'], None)
    with pytest.raises(UserError, match='a multiple of 4 after it'):
        codec.encode_step(noise(3), ['head'], memory)


def test_a_folder_of_weights_loads_encodes_and_decodes_like_diffusers(whole_vae, tmp_path):
    config = {'_class_name': 'AutoencoderKLWan', **whole_vae.config}
    write_folder(tmp_path / 'vae', 'diffusion_pytorch_model', whole_vae.state_dict(), config)
    codec = WanCodec.load(tmp_path / 'vae')
    assert isinstance(codec, VideoCodec)
    video = noise(5, 64, 32)
    with torch.no_grad():
        expected = whole_vae.encode(video).latent_dist.mode()
        pictures = whole_vae.decode(expected).sample
    latents = EncoderStream(codec, ['head']).push(video)
    mean = torch.tensor(whole_vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = torch.tensor(whole_vae.config.latents_std).view(1, -1, 1, 1, 1)
    torch.testing.assert_close(latents * std + mean, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(codec.decode(latents, ['head']), pictures, rtol=0, atol=1e-4)


PUBLISHED = {
    'base_dim': 160,
    'decoder_base_dim': 256,
    'z_dim': 48,
    'dim_mult': [1, 2, 4, 4],
    'num_res_blocks': 2,
    'attn_scales': [],
    'temperal_downsample': [False, True, True],
    'is_residual': True,
    'in_channels': 12,
    'out_channels': 12,
    'patch_size': 2,
    'latents_mean': [0.0] * 48,
    'latents_std': [1.0] * 48,
    'scale_factor_temporal': 4,
    'scale_factor_spatial': 16,
}


@pytest.mark.parametrize('name', ['robotwin', 'libero', 'franka', 'demo', 'g1'])
def test_the_published_codec_fits_the_published_network_and_every_canvas(name):
    with torch.device('meta'):
        codec = WanCodec(AutoencoderKLWan.from_config(PUBLISHED))
    config = preset(name)
    assert codec.latent_channels == config.model.in_channels
    assert codec.spatial_factor == config.canvas.spatial_factor
    video = torch.empty(1, 3, 5, *config.canvas.pixel_size(config.canvas.cameras[0]))
    latents = EncoderStream(codec, ['head']).push(video.to('meta'))
    assert latents.shape[1:] == (48, 2, *config.canvas.latent_size(config.canvas.cameras[0]))


def test_an_encoder_alone_says_that_it_cannot_decode(codec):
    with pytest.raises(UserError, match='no decoder weights'):
        codec.decode(torch.zeros(1, codec.latent_channels, 1, 2, 2), ['head'])


def test_missing_codec_weights_are_named(config):
    weights = load_file(GOLDEN / 'tiny_vae_encoder.safetensors')
    del weights['quant_conv.bias']
    with pytest.raises(UserError, match=r'1 keys missing \(quant_conv\.bias\)'):
        WanCodec.from_weights(config, weights)


def looks(cameras, count, size=(48, 80)):
    generator = np.random.default_rng(5)
    return [
        {camera: generator.integers(0, 256, (*size, 3), dtype=np.uint8) for camera in cameras}
        for _ in range(count)
    ]


def test_a_t_shaped_canvas_is_each_camera_encoded_alone(codec):
    canvas = CanvasConfig(layout='t_shape', cameras=('head', 'left', 'right'), height=64, width=96)
    seen = looks(canvas.cameras, 6)
    encoder = CanvasEncoder(canvas, codec)
    joined = torch.cat([encoder.push(seen[:2]), encoder.push(seen[2:])], 2)
    assert joined.shape == (1, codec.latent_channels, 2, *canvas.latent_hw)
    assert encoder.pending == 1
    for camera in canvas.cameras:
        size = canvas.pixel_size(camera)
        video = torch.stack([pixels_from_image(look[camera], size) for look in seen], 1)
        alone = EncoderStream(codec, [camera]).push(video[None])
        top, left, height, width = canvas.box(camera)
        part = joined[..., top : top + height, left : left + width]
        torch.testing.assert_close(part, alone, rtol=0, atol=1e-5)


def test_a_look_without_a_camera_is_refused_before_anything_is_encoded(codec):
    canvas = CanvasConfig(layout='side_by_side', cameras=('a', 'b'), height=32, width=32)
    encoder = CanvasEncoder(canvas, codec)
    with pytest.raises(UserError, match='cameras b are missing'):
        encoder.push(looks(['a'], 1))
    with pytest.raises(UserError, match='no looks'):
        encoder.push([])
    assert encoder.push(looks(['a', 'b'], 1)).shape[2] == 1


def test_canvas_and_codec_must_agree_on_the_size_of_a_latent(codec):
    canvas = CanvasConfig(layout='single', cameras=('a',), height=32, width=32, spatial_factor=8)
    with pytest.raises(UserError, match='8 px a latent, the video codec 16'):
        CanvasEncoder(canvas, codec)


def test_a_decoded_canvas_has_a_picture_for_each_camera(whole_vae):
    canvas = CanvasConfig(layout='t_shape', cameras=('head', 'left', 'right'), height=64, width=64)
    codec = WanCodec(whole_vae)
    latents = torch.randn(codec.latent_channels, 2, *canvas.latent_hw)
    pictures = decode_canvas(canvas, codec, latents)
    assert {camera: images.shape for camera, images in pictures.items()} == {
        'head': (5, 64, 64, 3),
        'left': (5, 32, 32, 3),
        'right': (5, 32, 32, 3),
    }
    assert all(images.dtype == np.uint8 for images in pictures.values())
