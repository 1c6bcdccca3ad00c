"""The table of a toy study: means over seeds with 95 % intervals of Student's t."""

import math
from collections.abc import Mapping, Sequence

from scipy import stats

from flash_wam_ros.distill.recipes import RECIPES
from flash_wam_ros.distill.toy.study import TEACHER_ROW

Rows = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Row (recipe), sampler, measure -> score, of one seed."""

_COLUMNS = (
    ('action, own', 'own', 'action_error'),
    ('action, Euler', 'euler', 'action_error'),
    ('action, Euler 1v2a', 'euler_1v2a', 'action_error'),
    ('video, own', 'own', 'video_error'),
    ('video, Euler', 'euler', 'video_error'),
    ('rollout, own', 'own', 'distance'),
    ('rollout, Euler', 'euler', 'distance'),
)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the half width of its 95 % interval (NaN for a single value)."""
    count = len(values)
    mean = math.fsum(values) / count
    if count < 2:
        return mean, float('nan')
    variance = math.fsum((v - mean) ** 2 for v in values) / (count - 1)
    return mean, float(stats.t.ppf(0.975, count - 1)) * math.sqrt(variance / count)


def scores(results: Mapping[int, Rows], row: str, sampler: str, measure: str) -> list[float]:
    """Return one score for each seed."""
    return [results[seed][row][sampler][measure] for seed in sorted(results)]


def gap_closed(results: Mapping[int, Rows], row: str, measure: str) -> tuple[float, float]:
    """Return which share of flash_wam's one-step gap to the teacher a recipe closes, per seed.

    Each is taken under its own functions; 1 is as good as the many-step teacher, 0 as
    flash_wam. Returned are the mean over seeds and the half width of its 95 % interval.
    """
    teacher = scores(results, TEACHER_ROW, 'euler', measure)
    base = scores(results, 'flash_wam', 'own', measure)
    own = scores(results, row, 'own', measure)
    shares = [(b - o) / (b - t) for b, o, t in zip(base, own, teacher, strict=True)]
    return interval(shares)


def _cell(values: Sequence[float]) -> str:
    mean, half = interval(values)
    return f'{mean:.3f}' if math.isnan(half) else f'{mean:.3f} ± {half:.3f}'


def markdown(results: Mapping[int, Rows], names: Sequence[str], floor: float) -> str:
    """Return the table of a study."""
    header = ['recipe', *(title for title, _, _ in _COLUMNS)]
    lines = ['| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header)]
    teacher = [
        _cell(scores(results, TEACHER_ROW, 'euler', measure)) if 'own' in title else ''
        for title, _, measure in _COLUMNS
    ]
    lines.append('| ' + ' | '.join([f'{TEACHER_ROW}, many Euler steps', *teacher]) + ' |')
    for name in names:
        cells = [_cell(scores(results, name, s, m)) for _, s, m in _COLUMNS]
        lines.append('| ' + ' | '.join([f'`{name}`', *cells]) + ' |')
    lines += ['', f'Distance of the world from itself at this sample size: {floor:.3f}.']
    return '\n'.join(lines) + '\n'


def gaps_markdown(results: Mapping[int, Rows], names: Sequence[str]) -> str:
    """Return what share of flash_wam's gap to the teacher each other recipe closes."""
    lines = ['| recipe | action error | rollout distance |', '|---|---|---|']
    for name in names:
        if name == 'flash_wam' or name not in RECIPES:
            continue
        cells = []
        for measure in ('action_error', 'distance'):
            mean, half = gap_closed(results, name, measure)
            cells.append(f'{100 * mean:.0f} ± {100 * half:.0f} %')
        lines.append(f'| `{name}` | ' + ' | '.join(cells) + ' |')
    return '\n'.join(lines) + '\n'
