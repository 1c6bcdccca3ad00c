"""The page of a toy study: what was run, the tables, what they say."""

from collections.abc import Mapping, Sequence

from flash_wam_ros.distill.recipes import RECIPES
from flash_wam_ros.distill.toy.study import TEACHER_ROW, StudyConfig
from flash_wam_ros.distill.toy.table import (
    Rows,
    gap_closed,
    gaps_markdown,
    interval,
    markdown,
    scores,
)

_INTRODUCTION = """## A world that can be solved on paper

`{command}` made this section; it can be interrupted and goes
on with the seeds that are missing.

The world: a "frame" is a point in the plane; a chunk of two frames follows one of three ways
from where the chunk before ended; its actions are the displacements, turned, in one of two
grips. Video given the past and actions given the video are Gaussian mixtures, so the optimal
velocity is known in closed form, and with it the end of the exact path from any noise. A network
of one shared trunk is trained on {windows} windows by flow matching ({teacher_steps} steps of
{batch} windows), then every recipe distils it for {student_steps} steps from the same start, at
the paper's values except for guidance (the world has no prompts), the learning rate
({student_lr:g} for all) and the decay of the average (the runs are short). These three and the
number of steps were chosen on the first seed, mainly for run time. {seeds} seeds; means and 95 %
intervals (Student's t). Smaller is better.

- *action*, *video*: root mean square distance of a one-step sample from the end of the exact
  path from the same noise (actions given the true video). *1v2a*: two action steps.
- *rollout*: sliced Wasserstein-2 distance of whole rollouts of three chunks, each on its own past
  and its actions on its own imagined video, from the world.
- *own*: sampled by the functions that the recipe trained; *Euler*: x - v, as the published
  server does whatever was trained. The teacher's row takes {euler_steps} Euler steps.
"""


def _against(results: Mapping[int, Rows], sampler: str) -> str:
    flash = scores(results, 'flash_wam', sampler, 'action_error')
    naive = scores(results, 'naive_joint', sampler, 'action_error')
    mean, half = interval([n - f for n, f in zip(naive, flash, strict=True)])
    if not abs(mean) > half:
        verdict = 'no difference can be told'
    else:
        verdict = '`flash_wam` is better' if mean > 0 else '`naive_joint` is better'
    name = 'their own functions' if sampler == 'own' else 'Euler'
    return (
        f'- `naive_joint` minus `flash_wam`, one-step action error, sampled by {name}: '
        f'{mean:+.3f} ± {half:.3f} (paired by seed): {verdict}.'
    )


def _closes(results: Mapping[int, Rows], name: str) -> str:
    parts = []
    for measure, words in (('action_error', 'action error'), ('distance', 'rollout distance')):
        mean, half = gap_closed(results, name, measure)
        half_closed = (
            'at least half'
            if mean - half >= 0.5
            else ('less than half' if mean + half < 0.5 else 'about half')
        )
        parts.append(
            f'{half_closed} of the gap in {words} ({100 * mean:.0f} ± {100 * half:.0f} %)'
        )
    return f'- `{name}` closes {" and ".join(parts)}.'


def study_page(
    results: Mapping[int, Rows],
    names: Sequence[str],
    config: StudyConfig,
    floor: float,
    command: str,
) -> str:
    """Return the page of a study in Markdown; every number in it comes from ``results``."""
    introduction = _INTRODUCTION.format(
        command=command,
        windows=config.windows,
        teacher_steps=config.teacher_steps,
        student_steps=config.student_steps,
        batch=config.batch,
        student_lr=config.student_lr,
        seeds=len(results),
        euler_steps=config.euler_steps,
    )
    parts = [introduction, '### Scores', markdown(results, names, floor)]
    if len(results) > 1 and 'flash_wam' in names:
        parts += [
            f"### Share of `flash_wam`'s one-step gap to the {TEACHER_ROW} that is closed",
            gaps_markdown(results, names),
        ]
        findings = [_closes(results, n) for n in ('on_policy', 'flow_map') if n in names]
        if 'naive_joint' in names:
            findings = [_against(results, s) for s in ('own', 'euler')] + findings
        parts += ['### What it says', '\n'.join(findings)]
    recipes = '\n'.join(f'- `{name}`: {RECIPES[name].summary}.' for name in names)
    return '\n\n'.join(part.strip() for part in [*parts, '### Recipes', recipes]) + '\n'


BEGIN, END = '<!-- toy study: begin -->', '<!-- toy study: end -->'


def put_into(document: str, page: str) -> str:
    """Return a document with ``page`` between its marks, or at its end if it has none."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        before, after = (f'{document.rstrip()}\n\n' if document.strip() else ''), '\n'
    return f'{before}{BEGIN}\n{page}{END}{after}'
