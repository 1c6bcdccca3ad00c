"""A program of somebody else: stock LeRobot writes a dataset, or appends to one."""

import sys
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

FEATURES = {
    'action': {'dtype': 'float32', 'shape': (4,), 'names': ['a', 'b', 'c', 'd']},
    'observation.images.head': {
        'dtype': 'video',
        'shape': (32, 48, 3),
        'names': ['height', 'width', 'channels'],
    },
    'observation.images.still': {
        'dtype': 'image',
        'shape': (8, 8, 3),
        'names': ['height', 'width', 'channels'],
    },
}


def main(root):
    """Write three episodes whose numbers and pictures tell where they belong."""
    dataset = LeRobotDataset.create(
        'local/set', fps=10, features=FEATURES, root=Path(root), vcodec='h264'
    )
    for episode in range(3):
        for frame in range(8 + episode):
            dataset.add_frame(
                {
                    'action': np.array([episode, frame, 0.5, -1], np.float32),
                    'observation.images.head': np.full(
                        (32, 48, 3), 10 * frame + episode, np.uint8
                    ),
                    'observation.images.still': np.full((8, 8, 3), 10 * frame + episode, np.uint8),
                    'task': f'task {episode % 2}',
                }
            )
        dataset.save_episode()
    dataset.finalize()


main(sys.argv[1])
