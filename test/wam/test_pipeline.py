"""The whole model: it survives the disk, and a rollout is a session fed through codec and text."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from wam_worlds import MODEL, USED, random_model, small_config

from flash_wam_ros.core import UserError
from flash_wam_ros.wam.canvas import CanvasConfig
from flash_wam_ros.wam.canvas_codec import CanvasEncoder
from flash_wam_ros.wam.config import GuidanceConfig
from flash_wam_ros.wam.light_codec import LightCodec, LightCodecConfig
from flash_wam_ros.wam.light_text import MiniLmText
from flash_wam_ros.wam.pipeline import Pipeline, load_config, load_pipeline, save_pipeline
from flash_wam_ros.wam.rollout import WamRollout
from flash_wam_ros.wam.session import WamSession

CANVAS = CanvasConfig(
    layout='t_shape',
    cameras=('head', 'left_wrist', 'right_wrist'),
    height=32,
    width=32,
    spatial_factor=8,
)
NETWORK = replace(MODEL, text_dim=384)
CONFIG = replace(small_config(), model=NETWORK, canvas=CANVAS)


def random_looks(count, seed=0):
    generator = np.random.default_rng(seed)
    return [
        {
            camera: generator.integers(0, 256, (*CANVAS.pixel_size(camera), 3), dtype=np.uint8)
            for camera in CANVAS.cameras
        }
        for _ in range(count)
    ]


def light_codec(temporal_factor=1):
    looks = random_looks(20, seed=1)
    frames = {camera: np.stack([look[camera] for look in looks]) for camera in CANVAS.cameras}
    settings = LightCodecConfig(
        components=MODEL.in_channels, patch=8, temporal_factor=temporal_factor
    )
    return LightCodec.fit(frames, settings)


@pytest.fixture(scope='module')
def text():
    return MiniLmText(length=8)


@pytest.fixture(scope='module')
def pipeline(text):
    return Pipeline(
        config=CONFIG, transformer=random_model(config=NETWORK), codec=light_codec(), text=text
    )


def save(folder, pipeline, **changes):
    parts = {'codec': pipeline.codec, 'text': pipeline.text, **changes}
    save_pipeline(folder, pipeline.config, pipeline.transformer, **parts)
    return folder


def executed(seed=0):
    chunk = CONFIG.chunk
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(
        len(USED), chunk.frames_per_chunk, chunk.actions_per_frame, generator=generator
    )


def first_chunk(pipeline, instruction='stop', **options):
    rollout = WamRollout(pipeline, **options)
    rollout.reset(instruction)
    rollout.see(random_looks(1))
    return rollout.imagine_and_act()


def assert_acts_alike(one, other):
    """Weights in a mapped file are aligned otherwise, so sums may round otherwise."""
    actions, expected = first_chunk(one).actions, first_chunk(other).actions
    torch.testing.assert_close(actions, expected, rtol=1e-5, atol=1e-5)


def test_a_saved_model_loads_whole_and_acts_the_same(pipeline, tmp_path):
    loaded = load_pipeline(save(tmp_path / 'model', pipeline))
    assert loaded.config == pipeline.config
    assert type(loaded.text) is type(pipeline.text)
    assert loaded.text.length == pipeline.text.length
    assert_acts_alike(loaded, pipeline)


def test_the_shape_of_the_network_stands_in_one_file_alone(pipeline, tmp_path):
    folder = save(tmp_path / 'model', pipeline)
    values = json.loads((folder / 'wam.json').read_text())
    assert 'model' not in values
    (folder / 'wam.json').write_text(json.dumps({**values, 'model': {}}))
    with pytest.raises(UserError, match=r'wam\.json has a model'):
        load_config(folder)


def test_a_student_takes_what_it_lacks_from_its_base(pipeline, tmp_path):
    teacher = save(tmp_path / 'teacher', pipeline)
    student = save(tmp_path / 'student', pipeline, codec=None, text=None)
    with pytest.raises(UserError, match='no vae folder'):
        load_pipeline(student)
    loaded = load_pipeline(student, base=teacher)
    assert_acts_alike(loaded, pipeline)


def test_a_published_folder_needs_a_preset_and_takes_its_cameras_from_it(pipeline, tmp_path):
    folder = save(tmp_path / 'model', pipeline)
    (folder / 'wam.json').unlink()
    with pytest.raises(UserError, match='name a preset: robotwin'):
        load_config(folder)
    config = load_config(folder, preset_name='libero')
    assert config.model == NETWORK
    assert config.chunk.frames_per_chunk == 4
    with pytest.raises(UserError, match="unknown preset 'liberty'"):
        load_config(folder, preset_name='liberty')


def test_a_model_is_not_written_over_unasked(pipeline, tmp_path):
    folder = save(tmp_path / 'model', pipeline)
    with pytest.raises(UserError, match='exists'):
        save(folder, pipeline)
    save(folder, pipeline, overwrite=True)
    assert load_config(folder) == CONFIG


@pytest.mark.parametrize(
    ('place', 'changes', 'line'),
    [
        ('wam.json', {'video_heads': 'x0'}, "did you mean 'video_head'"),
        ('vae/config.json', {'_class_name': 'AutoencoderKL'}, "did you mean 'AutoencoderKLWan'"),
        ('vae/config.json', {'component': 3}, "did you mean 'components'"),
        ('text_encoder/config.json', {'_class_name': 'clip'}, 'unknown class'),
        ('text_encoder/config.json', {'size': 3}, 'expected _class_name and length'),
    ],
)
def test_a_wrong_setting_is_named(pipeline, tmp_path, place, changes, line):
    path = save(tmp_path / 'model', pipeline) / place
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(UserError, match=line):
        load_pipeline(tmp_path / 'model')


def test_parts_of_different_models_are_refused(pipeline, tmp_path):
    stranger = Pipeline(
        config=replace(CONFIG, model=MODEL),
        transformer=random_model(config=MODEL),
        codec=pipeline.codec,
        text=pipeline.text,
    )
    with pytest.raises(UserError, match='has 384 text channels, the model 12'):
        load_pipeline(save(tmp_path / 'model', stranger))


@pytest.mark.parametrize('plan', ['reference', 'fused'])
@pytest.mark.parametrize('guided', [False, True])
def test_a_rollout_is_a_session_fed_with_encoded_looks_and_words(pipeline, plan, guided):
    guidance = GuidanceConfig(video=3.0 if guided else 1.0)
    whole = replace(pipeline, config=replace(CONFIG, guidance=guidance))
    rollout = WamRollout(whole, plan=plan)
    session = WamSession(whole.transformer, whole.config, plan=plan)
    encoder = CanvasEncoder(CANVAS, whole.codec)
    looks = random_looks(4)
    rollout.reset('pick up the cup')
    session.reset(whole.text.encode('pick up the cup'), whole.text.encode_empty())
    rollout.see(looks[:1])
    session.observe(encoder.push(looks[:1]))
    for chunk, (begin, end) in enumerate(((1, 2), (2, 4))):
        result, expected = rollout.imagine_and_act(), session.imagine_and_act()
        assert torch.equal(result.actions, expected.actions)
        assert torch.equal(result.latents, expected.latents)
        for index in range(begin, end):
            rollout.see(looks[index : index + 1])
        rollout.commit(executed(chunk))
        session.observe(encoder.push(looks[begin:end]), executed(chunk))
    assert torch.equal(rollout.imagine_and_act().actions, session.imagine_and_act().actions)


def test_words_and_pictures_both_matter(pipeline):
    actions = first_chunk(pipeline).actions
    assert not torch.equal(first_chunk(pipeline, 'pick up the cup').actions, actions)
    rollout = WamRollout(pipeline)
    rollout.reset('stop')
    rollout.see(random_looks(1, seed=8))
    assert not torch.equal(rollout.imagine_and_act().actions, actions)


@pytest.mark.parametrize('factor', [1, 4])
def test_the_looks_due_are_one_then_a_chunk_less_its_first_frame_then_whole_chunks(
    pipeline, factor
):
    frames = CONFIG.chunk.frames_per_chunk
    rollout = WamRollout(replace(pipeline, codec=light_codec(factor)))
    rollout.reset('stop')
    due = []
    for chunk in range(3):
        due.append(rollout.looks_due)
        for look in random_looks(rollout.looks_due, seed=chunk):
            rollout.see([look])
        assert rollout.looks_due == (0 if chunk else (frames - 1) * factor)
        if chunk:
            rollout.commit(executed())
        rollout.imagine_and_act()
    assert due == [1, (frames - 1) * factor, frames * factor]


def test_too_many_looks_and_too_few_are_refused_and_the_episode_goes_on(pipeline):
    rollout = WamRollout(pipeline)
    rollout.reset('stop')
    with pytest.raises(UserError, match='2 looks given, 1 are due'):
        rollout.see(random_looks(2))
    rollout.see(random_looks(1))
    rollout.imagine_and_act()
    with pytest.raises(UserError, match='1 looks are still due'):
        rollout.commit(executed())
    rollout.see(random_looks(1))
    rollout.commit(executed())
    assert torch.isfinite(rollout.imagine_and_act().actions).all()


def test_reset_begins_the_same_episode_again(pipeline):
    rollout = WamRollout(pipeline)
    actions = []
    for _ in range(2):
        rollout.reset('stop', seed=3)
        rollout.see(random_looks(1))
        actions.append(rollout.imagine_and_act().actions)
        rollout.see(random_looks(1, seed=4))
    assert torch.equal(*actions)


def test_an_empty_instruction_is_refused(pipeline):
    with pytest.raises(UserError, match='is empty'):
        WamRollout(pipeline).reset('  ')


def test_imagined_pictures_are_the_decoded_latents_behind_the_seen_one(pipeline):
    rollout = WamRollout(pipeline)
    rollout.reset('stop')
    rollout.see(random_looks(1))
    result = rollout.imagine_and_act()
    first = rollout.pictures(result)
    assert {camera: images.shape for camera, images in first.items()} == {
        'head': (1, 32, 32, 3),
        'left_wrist': (1, 16, 16, 3),
        'right_wrist': (1, 16, 16, 3),
    }
    context = rollout.newest_latent
    rollout.see(random_looks(1, seed=2))
    rollout.commit(executed())
    later = rollout.pictures(result, context)
    assert all(np.array_equal(later[camera], first[camera]) for camera in first)
    assert len(rollout.pictures(rollout.imagine_and_act())['head']) == 2
