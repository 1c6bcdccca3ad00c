"""The closing words of a run: success, why, latencies, interventions."""

from collections import Counter

import numpy as np

from flash_wam_ros.evaluate.results import Results


def _milliseconds(values_s: np.ndarray) -> str:
    if len(values_s) == 0:
        return 'none measured'
    middle, high = np.percentile(values_s, (50, 99)) * 1e3
    return f'{middle:.0f} / {high:.0f} ms (p50 / p99 of {len(values_s)})'


def summary_lines(results: Results, latency_s: np.ndarray) -> list[str]:
    """Return the summary of ``results``, one line a fact.

    Args:
        results: the episodes.
        latency_s: (N,) time from observation to chunk in the last episode [s].
    """
    inference_s = np.concatenate([np.array(e.inference_s) for e in results.episodes])
    rules: Counter[str] = Counter()
    for episode in results.episodes:
        rules.update(episode.interventions)
    acts = ', '.join(f'{rule} {count}' for rule, count in rules.most_common()) or 'none'
    total = len(results.episodes)
    lines = [f'summary: {results.successes} of {total} episodes succeeded']
    lines += [f'  seed {e.seed} failed: {e.reason}' for e in results.episodes if not e.success]
    lines += [
        f'  policy step           {_milliseconds(inference_s)}',
        f'  observation to chunk  {_milliseconds(latency_s)}',
        f'  safety interventions  {acts}',
    ]
    return lines
