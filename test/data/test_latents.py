"""The latent cache: made once, resumed, noticed when codec or video change."""

import json

import numpy as np
import pytest
import torch
from sample_data import HEAD, WRIST, make_dataset, numbers, open_writer, record, write_v21

from flash_wam_ros.core import UserError
from flash_wam_ros.data.check import sample_frames
from flash_wam_ros.data.codecs import open_codec
from flash_wam_ros.data.encode import encode_dataset
from flash_wam_ros.data.latents import LatentSpec, open_cache, weights_digest
from flash_wam_ros.data.lerobot import open_dataset
from flash_wam_ros.data.segments import all_segments
from flash_wam_ros.wam.canvas import pixels_from_image
from flash_wam_ros.wam.codec import EncoderStream
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig

SIZES = {HEAD: (32, 48), WRIST: (16, 24)}


@pytest.fixture
def reader(tmp_path):
    return open_dataset(make_dataset(tmp_path / 'set', episodes=3))


@pytest.fixture
def codec_folder(tmp_path, reader):
    return fit_codec(tmp_path / 'codec', reader, seed=0)


def fit_codec(folder, reader, seed):
    frames = sample_frames(reader, (HEAD, WRIST), 20, seed)
    config = LightCodecConfig(components=8, patch=8, temporal_factor=2)
    LightCodec.fit(frames, config).save(folder)
    return folder


def spec_of(folder, **changes):
    options = {'codec': weights_digest(folder), 'temporal_factor': 2, 'sizes': SIZES}
    return LatentSpec(**(options | changes))


def test_latents_are_those_of_the_episode_in_one_piece(reader, codec_folder, tmp_path):
    codec = open_codec(codec_folder)
    report = encode_dataset(reader, codec, spec_of(codec_folder), tmp_path / 'latents')
    assert (report.encoded, report.kept) == (6, 0)
    cache = open_cache(reader, tmp_path / 'latents')
    for index in range(3):
        assert cache.grid(index).latent_frames == (9 + index - 1) // 2 + 1
        for camera, size in SIZES.items():
            images = reader.images(index, camera, cache.grid(index).frame_ids)
            pixels = torch.stack([pixels_from_image(i, size) for i in images], dim=1)
            expected = EncoderStream(codec, (camera,)).push(pixels[None])[0]
            torch.testing.assert_close(cache.load(index, camera), expected)


def test_a_second_run_makes_nothing_and_a_missing_file_alone_is_made(
    reader, codec_folder, tmp_path
):
    codec, spec, root = open_codec(codec_folder), spec_of(codec_folder), tmp_path / 'latents'
    cache = encode_dataset(reader, codec, spec, root).cache
    files = {p: p.stat().st_mtime_ns for p in cache.folder.rglob('*.safetensors')}
    again = encode_dataset(reader, codec, spec, root)
    assert (again.encoded, again.kept) == (0, 6)
    assert {p: p.stat().st_mtime_ns for p in files} == files
    cache.path(1, WRIST).unlink()
    cache.path(2, HEAD).write_bytes(cache.path(2, HEAD).read_bytes()[:100])
    again = encode_dataset(reader, codec, spec, root)
    assert (again.encoded, again.kept) == (2, 4)


class InterruptedCodec:
    """A codec that dies after some encodings, as a killed run does."""

    def __init__(self, codec, calls):
        self.codec, self.calls = codec, calls

    def __getattr__(self, name):
        return getattr(self.codec, name)

    def encode_step(self, *arguments):
        self.calls -= 1
        if self.calls < 0:
            raise KeyboardInterrupt
        return self.codec.encode_step(*arguments)


def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(reader, codec_folder, tmp_path):
    codec, spec = open_codec(codec_folder), spec_of(codec_folder)
    whole = encode_dataset(reader, codec, spec, tmp_path / 'whole').cache
    root, runs = tmp_path / 'parts', 0
    while True:
        try:
            # Each segment and camera takes two calls: the first frame, then the rest.
            report = encode_dataset(reader, InterruptedCodec(codec, 5), spec, root)
            break
        except KeyboardInterrupt:
            runs += 1
    assert runs == 2
    assert report.kept == 4
    for path in whole.folder.rglob('*.safetensors'):
        same = report.cache.folder / path.relative_to(whole.folder)
        assert same.read_bytes() == path.read_bytes()
    assert not list(root.rglob('*.partial'))


def test_another_codec_has_another_cache_and_must_be_chosen(reader, codec_folder, tmp_path):
    other = fit_codec(tmp_path / 'other', reader, seed=1)
    root = tmp_path / 'latents'
    keys = []
    for folder in (codec_folder, other):
        report = encode_dataset(reader, open_codec(folder), spec_of(folder), root)
        assert report.encoded == 6
        keys.append(report.cache.spec.key)
    with pytest.raises(UserError, match='2 codecs; choose'):
        open_cache(reader, root)
    assert open_cache(reader, root, keys[1]).spec == spec_of(other)


@pytest.mark.parametrize(
    'change', [{'stride': 2}, {'sizes': {HEAD: (16, 24)}}, {'dtype': 'bfloat16'}]
)
def test_whatever_changes_the_content_changes_the_key(codec_folder, change):
    assert spec_of(codec_folder, **change).key != spec_of(codec_folder).key


def test_a_video_recorded_anew_is_encoded_anew(codec_folder, tmp_path):
    root = write_v21(tmp_path / 'old')
    codec, spec = open_codec(codec_folder), spec_of(codec_folder, sizes={HEAD: (32, 48)})
    encode_dataset(open_dataset(root), codec, spec, tmp_path / 'latents')
    from sample_data import pictures, write_v21_video

    write_v21_video(root, 1, pictures(7, 13))
    report = encode_dataset(open_dataset(root), codec, spec, tmp_path / 'latents')
    assert (report.encoded, report.kept) == (1, 1)


def test_episodes_that_came_later_are_added(reader, codec_folder, tmp_path):
    codec, spec, root = open_codec(codec_folder), spec_of(codec_folder), tmp_path / 'latents'
    encode_dataset(reader, codec, spec, root)
    with open_writer(reader.root) as writer:
        record(writer, 3, length=12)
    longer = open_dataset(reader.root)
    with pytest.raises(UserError, match=r'episode_000003_0_12.*data encode'):
        open_cache(longer, root)
    report = encode_dataset(longer, codec, spec, root)
    assert (report.encoded, report.kept) == (2, 6)


def test_an_unknown_camera_a_wrong_size_and_damage_are_named(reader, codec_folder, tmp_path):
    codec, root = open_codec(codec_folder), tmp_path / 'latents'
    with pytest.raises(UserError, match="has no camera 'head'; valid"):
        encode_dataset(reader, codec, spec_of(codec_folder, sizes={'head': (32, 48)}), root)
    with pytest.raises(UserError, match='fitted to'):
        encode_dataset(reader, codec, spec_of(codec_folder, sizes={HEAD: (16, 24)}), root)
    with pytest.raises(UserError, match='temporal factor 4'):
        encode_dataset(reader, codec, spec_of(codec_folder, temporal_factor=4), root)
    cache = encode_dataset(reader, codec, spec_of(codec_folder), root).cache
    cache.path(0, HEAD).write_bytes(b'rubbish')
    with pytest.raises(UserError, match='delete it and encode again'):
        cache.load(0, HEAD)
    (cache.folder / 'cache.json').write_text(json.dumps(cache.spec.to_json() | {'stride': 3}))
    with pytest.raises(UserError, match='does not fit the name of its folder'):
        open_cache(reader, root, cache.spec.key)


def test_sampled_frames_show_the_same_moments_in_every_camera(reader):
    frames = sample_frames(reader, (HEAD, WRIST), 12, seed=3)
    assert frames[HEAD].shape == (12, 32, 48, 3)
    clocks = [frames[camera][:, -2:, :, 2].mean(axis=(1, 2)) for camera in (HEAD, WRIST)]
    np.testing.assert_allclose(clocks[0], clocks[1], atol=5)
    assert sample_frames(reader, (HEAD,), 1000)[HEAD].shape[0] == 9 + 10 + 11


def test_segments_are_episodes_unless_meta_or_words_say_otherwise(reader, tmp_path):
    assert [(s.episode, s.start, s.end) for s in all_segments(reader)] == [
        (0, 0, 9),
        (1, 0, 10),
        (2, 0, 11),
    ]
    segments = [
        [{'start_frame': 0, 'end_frame': 9, 'action_text': 'lift'}],
        [
            {'start_frame': 0, 'end_frame': 6, 'action_text': 'lift'},
            {'start_frame': 6, 'end_frame': 13, 'action_text': 'put down'},
        ],
    ]
    old = open_dataset(write_v21(tmp_path / 'old', segments=segments))
    assert [s.name for s in all_segments(old)] == [
        'episode_000000_0_9',
        'episode_000001_0_6',
        'episode_000001_6_13',
    ]
    assert old.instructions() == ('task 0', 'task 1', 'lift', 'put down')


def test_segments_follow_the_words_where_they_change(tmp_path):
    with open_writer(tmp_path / 'set') as writer:
        fields = {'seed': 0, 'success': True, 'layout': '', 'score': 0.0}
        from sample_data import pictures

        head, vectors = pictures(0, 7), numbers(0, 7)
        with writer.episode('open', fields) as episode:
            for frame in range(7):
                if frame == 4:
                    episode.set_task('close')
                row = {name: values[frame] for name, values in vectors.items()}
                episode.add(row, {HEAD: head[frame], WRIST: head[frame, ::2, ::2]})
    found = list(all_segments(open_dataset(tmp_path / 'set')))
    assert [(s.start, s.end, s.text) for s in found] == [(0, 4, 'open'), (4, 7, 'close')]
