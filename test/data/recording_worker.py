"""Records episodes of seeds 0, 1, 2 ... into a dataset until it has N, saying where it is."""

import resource
import sys
from pathlib import Path

from sample_data import HEAD, WRIST, numbers, open_writer, pictures


def main(root, episodes):
    """Record frame by frame; the last word printed is the peak memory in kB."""
    with open_writer(Path(root)) as writer:
        print('resumed at', writer.total_episodes, flush=True)
        while writer.total_episodes < episodes:
            seed = writer.total_episodes
            length = 9 + seed % 8
            vectors, head = numbers(seed, length), pictures(seed, length)
            fields = {'seed': seed, 'success': True, 'layout': 'x', 'score': 0.0}
            with writer.episode('reach', fields) as episode:
                for frame in range(length):
                    print('recording', seed, frame, flush=True)
                    row = {name: values[frame] for name, values in vectors.items()}
                    episode.add(row, {HEAD: head[frame], WRIST: head[frame, ::2, ::2]})
    print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


main(sys.argv[1], int(sys.argv[2]))
