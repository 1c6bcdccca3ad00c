"""The page of results: every figure of it comes from the records of evaluations."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flash_wam_ros.evaluate.records import Foresight, Paired, Record, paired
from flash_wam_ros.evaluate.results import TRAINED

T = TypeVar('T')
_NO_FIGURE = '–'


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """What the page is made of.

    Attributes:
        records: evaluations.
        foresights: comparisons of imagined video.
        teacher: name of the model that all others are compared with.
        teacher_sampling: steps that it is compared at; '' for its own.
        command: the command that writes the page.
    """

    records: Sequence[Record]
    foresights: Sequence[Foresight]
    teacher: str
    command: str
    teacher_sampling: str = ''

    def markdown(self) -> str:
        """Return the page."""
        sections = [
            f'# Results\n\nMade by `{self.command}` from the records of evaluations; no figure is '
            'typed. Intervals cover 95 %.',
            self.section_successes(),
            self._differences(),
            self._conditions(),
            self._limits(),
            self._through_ros(),
            self._foresight(),
            self.section_notes(),
        ]
        return '\n\n'.join(section for section in sections if section) + '\n'

    @property
    def _plain(self) -> list[Record]:
        """Return the evaluations in lock step under ordinary conditions."""
        return [
            record
            for record in self.records
            if record.setting.through == 'lockstep'
            and not record.setting.look
            and not record.setting.limits
            and record.setting.words == TRAINED
        ]

    @property
    def _tasks(self) -> list[str]:
        return _once(record.setting.task for record in self.records)

    def section_successes(self) -> str:
        """Return the section of success rates."""
        plain = self._plain
        rows = []
        for name, sampling in _once((r.name, r.setting.sampling) for r in plain):
            group = [r for r in plain if (r.name, r.setting.sampling) == (name, sampling)]
            cells = [
                _first(_rate(record) for record in group if record.setting.task == task)
                for task in self._tasks
            ]
            steps = sampling or 'its own'
            rows.append([name, steps, *cells, _latency(group)])
        header = ['model', 'steps', *self._tasks, 'a chunk takes, p50 / p99']
        text = (
            '## How often it succeeds\n\nLayouts that no demonstration has, in lock step: success '
            'rate, Wilson interval, episodes. `25v50a+g5` is 25 video and 50 action steps with '
            'guidance 5; `0v1a` acts without imagination.'
        )
        return f'{text}\n\n{_table(header, rows)}'

    def _differences(self) -> str:
        plain = self._plain
        rows = []
        for record in plain:
            teacher = self._reference(record)
            pair = paired(record, teacher) if teacher and teacher is not record else None
            if pair is not None:
                setting = record.setting
                rows.append(
                    [record.name, setting.sampling or 'its own', setting.task, *_pair(pair)]
                )
        if not rows:
            return ''
        header = ['model', 'steps', 'task', 'difference in points', 'layouts']
        steps = f'`{self.teacher_sampling}`' if self.teacher_sampling else 'its own steps'
        text = (
            f'## Beside the teacher\n\nSuccess rate less that of `{self.teacher}` at {steps}, '
            'layout by layout (Newcombe 1998, method 10).'
        )
        return f'{text}\n\n{_table(header, rows)}'

    def _reference(self, record: Record) -> Record | None:
        found = [
            other
            for other in self._plain
            if other.name == self.teacher
            and other.setting.sampling == self.teacher_sampling
            and other.setting.task == record.setting.task
        ]
        return found[0] if found else None

    def _conditions(self) -> str:
        odd = [r for r in self.records if r.setting.look or r.setting.words != TRAINED]
        if not odd:
            return ''
        rows = [
            [
                record.name,
                record.setting.task,
                record.setting.look or 'as it is',
                record.setting.words,
                _rate(record),
                _common_reason(record),
            ]
            for record in odd
        ]
        header = ['model', 'task', 'camera', 'words', 'success', 'most frequent failure']
        text = (
            '## When the world is not as it should be\n\n`swapped` shows the pictures of another '
            'episode, `frozen` the first picture for ever, `covered` black. `held_out` words are '
            'in no demonstration. A policy that looks and listens fails where it is misled.'
        )
        return f'{text}\n\n{_table(header, rows)}'

    def _through_ros(self) -> str:
        real = [record for record in self.records if record.setting.through == 'ros']
        if not real:
            return ''
        rows = [
            [
                record.name,
                record.setting.task,
                _rate(record),
                *_pair(self._beside_plain(record)),
                _latency([record]),
            ]
            for record in real
        ]
        header = ['model', 'task', 'success', 'less lock step, points', 'layouts', 'p50 / p99']
        text = '## Through ROS, in real time\n\nAll processes, as on a robot, with the controller.'
        return f'{text}\n\n{_table(header, rows)}'

    def _limits(self) -> str:
        other = [record for record in self.records if record.setting.limits]
        if not other:
            return ''
        rows = [
            [
                record.name,
                record.setting.task,
                f'`{record.setting.limits}`',
                _rate(record),
                *_pair(self._beside_plain(record)),
            ]
            for record in other
        ]
        header = ['model', 'task', 'limits', 'success', 'less full controller, points', 'layouts']
        text = (
            '## What the controller costs\n\nUnder other limits of the controller, beside the '
            'same layouts under the defaults. `widest` limits as little as can be set and does '
            'not look at self-collision; what stands behind it is limited again.'
        )
        return f'{text}\n\n{_table(header, rows)}'

    def _beside_plain(self, record: Record) -> Paired | None:
        """Return a record less the same in lock step under ordinary conditions."""
        same = [
            other
            for other in self._plain
            if (other.name, other.setting.task) == (record.name, record.setting.task)
            and other.setting.sampling == record.setting.sampling
        ]
        return paired(record, same[0]) if same else None

    def _foresight(self) -> str:
        if not self.foresights:
            return ''
        rows = [
            [
                _name(each),
                each.setting.task,
                str(row['camera']),
                f'{row["horizon_s"]:.1f} s',
                *(
                    f'{row[f"psnr_{kind}_db"]:.1f} / {row[f"ssim_{kind}"]:.3f}'
                    for kind in ('imagined', 'copied', 'codec')
                ),
                f'[{row["gain_low_db"]:+.1f}, {row["gain_high_db"]:+.1f}]',
                str(each.episodes),
            ]
            for each in self.foresights
            for row in each.rows
        ]
        header = [
            *('model', 'task', 'camera', 'ahead', 'imagined', 'copied', 'codec', 'gain, dB'),
            'episodes',
        ]
        text = (
            '## Does the imagined video come true?\n\nPSNR [dB] / SSIM on the pixels that moved '
            'in truth or in imagination; `copied` is the last picture seen, `codec` the '
            'true picture through the video codec, the best that could be had. The gain over '
            'copying is bootstrapped over episodes.'
        )
        return f'{text}\n\n{_table(header, rows)}'

    def section_notes(self) -> str:
        """Return what a reader must know of single evaluations, '' for nothing."""
        notes = _once(
            f'- {record.name}, {record.setting.sampling or "its own steps"}: {note}'
            for record in self.records
            for note in record.notes
        )
        return '## Notes\n\n' + '\n'.join(notes) if notes else ''


def _name(foresight: Foresight) -> str:
    return Record(setting=foresight.setting, episodes=()).name


def _rate(record: Record) -> str:
    low, high = record.interval
    count = len(record.episodes)
    return f'{record.rate:.1%} [{low:.1%}, {high:.1%}] of {count}'.replace('%', ' %')


def _pair(pair: Paired | None) -> list[str]:
    if pair is None:
        return [_NO_FIGURE, '0']
    points = [f'{100 * value:+.1f}' for value in (pair.difference, pair.low, pair.high)]
    return [f'{points[0]} [{points[1]}, {points[2]}]', str(pair.pairs)]


def _latency(group: Sequence[Record]) -> str:
    timed = [record for record in group if any(e.inference_s[1:] for e in record.episodes)]
    if not timed:
        return _NO_FIGURE
    all_of_them = Record(
        setting=timed[0].setting, episodes=tuple(e for record in timed for e in record.episodes)
    )
    p50, p99 = (1000 * all_of_them.latency_s(q) for q in (0.5, 0.99))
    return f'{p50:.0f} / {p99:.0f} ms'


def _common_reason(record: Record) -> str:
    reasons = [episode.reason for episode in record.episodes if not episode.success]
    if not reasons:
        return _NO_FIGURE
    return max(set(reasons), key=reasons.count)


def _once(values: Iterable[T]) -> list[T]:
    return list(dict.fromkeys(values))


def _first(values: Iterable[str]) -> str:
    return next(iter(values), _NO_FIGURE)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(cells)} |' for cells in lines)
