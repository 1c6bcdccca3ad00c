"""Small datasets for the tests of this folder, with the truth that they were made from."""

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flash_wam_ros.data.lerobot import LeRobotWriter, camera, vector

HEAD, WRIST = 'observation.images.head', 'observation.images.wrist'
CHANNELS = tuple(f'joint_{i}' for i in range(4))
FPS = 10
FEATURES = {
    'observation.state': vector(*CHANNELS),
    'action': vector(*CHANNELS),
    'action.expert': vector(*CHANNELS),
    HEAD: camera(32, 48),
    WRIST: camera(16, 24),
}
FIELDS = {'seed': 'int64', 'success': 'bool', 'layout': 'string', 'score': 'float64'}


def numbers(seed, length):
    """Return the vectors of an episode: feature -> (length, 4) float32."""
    rng = np.random.default_rng(seed)
    names = ('observation.state', 'action', 'action.expert')
    return {name: rng.normal(size=(length, 4)).astype(np.float32) for name in names}


def pictures(seed, length, size=(32, 48)):
    """Return (length, H, W, 3) frames: a background by seed, a square that moves, a clock."""
    height, width = size
    images = np.zeros((length, height, width, 3), np.uint8)
    images[..., 0] = 20 + 23 * (seed % 10)
    images[..., 2] = (7 * np.arange(length) % 250)[:, None, None]
    for frame in range(length):
        left = frame % (width - 8)
        images[frame, 4:12, left : left + 8] = (250, 240, 30)
    return images


def open_writer(root, **changes):
    """Return a writer of the sample features, three episodes a file."""
    options = {
        'fps': FPS,
        'features': FEATURES,
        'robot_type': 'g1',
        'episode_fields': FIELDS,
        'episodes_per_file': 3,
    }
    return LeRobotWriter(root, **(options | changes))


def record(writer, seed, length=9, task='pick the bottle'):
    """Record the episode of ``seed`` and return its vectors."""
    vectors, head = numbers(seed, length), pictures(seed, length)
    fields = {'seed': seed, 'success': seed % 2 == 0, 'layout': f'l{seed}', 'score': seed / 4}
    with writer.episode(task, fields) as episode:
        for frame in range(length):
            row = {name: values[frame] for name, values in vectors.items()}
            episode.add(row, {HEAD: head[frame], WRIST: head[frame, ::2, ::2]})
    return vectors


def make_dataset(root, episodes=4, **changes):
    """Write a dataset of episodes 9, 10, 11 ... frames long, of seeds 0, 1, 2 ..."""
    with open_writer(root, **changes) as writer:
        for seed in range(episodes):
            record(writer, seed, length=9 + seed, task=f'task {seed % 2}')
    return root


def contents(root):
    """Return path -> bytes of every file of a dataset."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


def write_v21(root: Path, lengths=(9, 13), fps=FPS, segments=None):
    """Write a v2.1 dataset by hand: parquet, JSON lines and one mp4 an episode and camera."""
    (root / 'meta').mkdir(parents=True)
    episodes, index = [], 0
    for number, length in enumerate(lengths):
        write_v21_frames(root, number, length, index, fps)
        write_v21_video(root, number, pictures(number, length), fps)
        row = {'episode_index': number, 'tasks': [f'task {number}'], 'length': length}
        if segments is not None:
            row['action_config'] = segments[number]
        episodes.append(row)
        index += length
    tasks = [{'task_index': i, 'task': f'task {i}'} for i in range(len(lengths))]
    write_lines(root / 'meta/episodes.jsonl', episodes)
    write_lines(root / 'meta/tasks.jsonl', tasks)
    info = v21_info(lengths, fps)
    (root / 'meta/info.json').write_text(json.dumps(info))
    return root


def v21_info(lengths, fps=FPS):
    """Return info.json as LeRobot 2.1 wrote it."""
    place = 'chunk-{episode_chunk:03d}'
    scalar = {'shape': [1], 'names': None}
    return {
        'codebase_version': 'v2.1',
        'robot_type': 'aloha',
        'total_episodes': len(lengths),
        'total_frames': sum(lengths),
        'total_tasks': len(lengths),
        'total_videos': len(lengths),
        'total_chunks': 1,
        'chunks_size': 1000,
        'fps': fps,
        'splits': {'train': f'0:{len(lengths)}'},
        'data_path': f'data/{place}/episode_{{episode_index:06d}}.parquet',
        'video_path': f'videos/{place}/{{video_key}}/episode_{{episode_index:06d}}.mp4',
        'features': {
            'action': {'dtype': 'float32', 'shape': [4], 'names': {'motors': list(CHANNELS)}},
            HEAD: {
                'dtype': 'video',
                'shape': [3, 32, 48],
                'names': ['channels', 'height', 'width'],
            },
            'timestamp': {'dtype': 'float32', **scalar},
            'frame_index': {'dtype': 'int64', **scalar},
            'episode_index': {'dtype': 'int64', **scalar},
            'index': {'dtype': 'int64', **scalar},
            'task_index': {'dtype': 'int64', **scalar},
        },
    }


def store_as_pictures(root, number, images):
    """Move the camera of one v2.1 episode from its mp4 into its parquet file, as PNG."""
    path = root / f'data/chunk-000/episode_{number:06d}.parquet'
    cells = [{'bytes': png_bytes(image), 'path': None} for image in images]
    column = pa.array(cells, pa.struct([('bytes', pa.binary()), ('path', pa.string())]))
    pq.write_table(pq.read_table(path).append_column(HEAD, column), path)
    (root / f'videos/chunk-000/{HEAD}/episode_{number:06d}.mp4').unlink()
    info = json.loads((root / 'meta/info.json').read_text())
    info['features'][HEAD]['dtype'] = 'image'
    (root / 'meta/info.json').write_text(json.dumps(info))


def png_bytes(image):
    """Return a picture as PNG."""
    codec = av.CodecContext.create('png', 'w')
    codec.height, codec.width = image.shape[:2]
    codec.pix_fmt, codec.time_base = 'rgb24', Fraction(1, 1)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format='rgb24')
    return b''.join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


def write_lines(path, rows):
    """Write JSON lines."""
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))


def write_v21_frames(root, number, length, index, fps=FPS, actions=None):
    """Write the parquet file of one v2.1 episode."""
    actions = numbers(number, length)['action'] if actions is None else actions
    table = pa.table(
        {
            'action': pa.array(list(actions), pa.list_(pa.float32())),
            'timestamp': pa.array(np.arange(length, dtype=np.float32) / fps),
            'frame_index': pa.array(np.arange(length)),
            'episode_index': pa.array(np.full(length, number)),
            'index': pa.array(index + np.arange(length)),
            'task_index': pa.array(np.full(length, number)),
        }
    )
    path = root / f'data/chunk-000/episode_{number:06d}.parquet'
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def write_v21_video(root, number, images, fps=FPS):
    """Write the mp4 of one v2.1 episode with B-frames and long groups, as ffmpeg does."""
    path = root / f'videos/chunk-000/{HEAD}/episode_{number:06d}.mp4'
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=fps, options={'crf': '12'})
        stream.height, stream.width = images.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format='rgb24')))
        container.mux(stream.encode(None))
