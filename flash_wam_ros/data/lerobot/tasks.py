"""The instructions of a dataset: meta/tasks.parquet (v3.0) and meta/tasks.jsonl (v2.1)."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flash_wam_ros.core import UserError
from flash_wam_ros.data.files import read_json_lines, write_whole

TASKS_PARQUET = 'meta/tasks.parquet'
TASKS_LINES = 'meta/tasks.jsonl'
_TEXT_COLUMN = '__index_level_0__'


def read_tasks(root: Path, version: str) -> tuple[str, ...]:
    """Return the instructions of the dataset in ``root``, by task index.

    Raises:
        UserError: the file is missing or damaged, or the indices are not 0 .. n-1.
    """
    if version == 'v2.1':
        rows = read_json_lines(root / TASKS_LINES)
        pairs = [(int(row['task_index']), str(row['task'])) for row in rows]
    else:
        pairs = _pairs(root / TASKS_PARQUET)
    pairs.sort()
    if [index for index, _ in pairs] != list(range(len(pairs))):
        raise UserError(f'the task indices in {root}/meta are not 0 to {len(pairs) - 1}')
    return tuple(text for _, text in pairs)


def _pairs(path: Path) -> list[tuple[int, str]]:
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise UserError(f'{path} is missing; restore the file') from None
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(f'{path} cannot be read ({error}); restore the file') from None
    text = [name for name in table.column_names if name != 'task_index']
    if 'task_index' not in table.column_names or not text:
        raise UserError(f'{path} has columns {table.column_names}; expected task_index and a text')
    return list(
        zip(table['task_index'].to_pylist(), map(str, table[text[0]].to_pylist()), strict=True)
    )


def write_tasks(root: Path, tasks: Sequence[str]) -> None:
    """Write meta/tasks.parquet as a pandas frame with the instructions as its index.

    LeRobot reads it with pandas and looks an instruction up by its place in the index, so the
    schema carries the metadata by which pandas knows that column.
    """
    schema = pa.schema(
        [('task_index', pa.int64()), (_TEXT_COLUMN, pa.string())],
        metadata={'pandas': json.dumps(_pandas_metadata())},
    )
    table = pa.table([list(range(len(tasks))), list(tasks)], schema=schema)
    write_whole(root / TASKS_PARQUET, lambda partial: pq.write_table(table, partial))


def _pandas_metadata() -> dict[str, object]:
    """Return the pandas metadata of the two columns, as the pandas documentation defines it."""
    return {
        'index_columns': [_TEXT_COLUMN],
        'column_indexes': [
            {
                'name': None,
                'field_name': None,
                'pandas_type': 'unicode',
                'numpy_type': 'object',
                'metadata': {'encoding': 'UTF-8'},
            }
        ],
        'columns': [
            {
                'name': 'task_index',
                'field_name': 'task_index',
                'pandas_type': 'int64',
                'numpy_type': 'int64',
                'metadata': None,
            },
            {
                'name': None,
                'field_name': _TEXT_COLUMN,
                'pandas_type': 'unicode',
                'numpy_type': 'object',
                'metadata': None,
            },
        ],
        'creator': {'library': 'pyarrow', 'version': pa.__version__},
        'pandas_version': '2.0.0',
    }
