"""The parquet files: one row a frame, numeric features and the five index columns."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flash_wam_ros.core import UserError
from flash_wam_ros.data.lerobot.info import DatasetInfo, Feature

_ARROW = {
    'float32': pa.float32(),
    'float64': pa.float64(),
    'int32': pa.int32(),
    'int64': pa.int64(),
    'bool': pa.bool_(),
}
INDEX_COLUMNS = ('timestamp', 'frame_index', 'episode_index', 'index', 'task_index')
_INDEX_TYPES = {name: pa.int64() for name in INDEX_COLUMNS} | {'timestamp': pa.float32()}


def frame_schema(info: DatasetInfo) -> pa.Schema:
    """Return the columns of a data file: features in their order, then the index columns."""
    columns = [(name, _column_type(info.features[name])) for name in info.vectors]
    return pa.schema([*columns, *_INDEX_TYPES.items()])


def _column_type(feature: Feature) -> pa.DataType:
    kind = _ARROW[feature.dtype]
    return kind if feature.shape == (1,) else pa.list_(kind, feature.shape[0])


def frame_table(info: DatasetInfo, columns: Mapping[str, np.ndarray]) -> pa.Table:
    """Return the table of one episode.

    Args:
        info: the dataset.
        columns: every vector feature as (T, n) and every index column as (T,).
    """
    schema = frame_schema(info)
    return pa.table([_to_arrow(columns[f.name], f.type) for f in schema], schema=schema)


def _to_arrow(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        flat = pa.array(np.ascontiguousarray(values).reshape(-1), type=kind.value_type)
        return pa.FixedSizeListArray.from_arrays(flat, kind.list_size)
    return pa.array(values.reshape(-1), type=kind)


def write_frames(path: Path, tables: Sequence[pa.Table]) -> None:
    """Write one data file, a row group for each episode, so that each is read alone."""
    with pq.ParquetWriter(path, tables[0].schema, compression='snappy') as writer:
        for table in tables:
            writer.write_table(table)


def read_rows(path: Path, start: int, count: int) -> pa.Table:
    """Read ``count`` rows from row ``start`` of a data file.

    Raises:
        UserError: the file is missing or damaged, or ends before.
    """
    try:
        with pq.ParquetFile(path) as file:
            return _read_groups(file, path, start, count)
    except FileNotFoundError:
        raise UserError(f'{path} is missing; restore the file') from None
    except (OSError, pa.ArrowException) as error:
        raise UserError(f'{path} cannot be read ({error}); restore the file') from None


def _read_groups(file: pq.ParquetFile, path: Path, start: int, count: int) -> pa.Table:
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    ends = np.cumsum([0, *sizes])
    if start + count > ends[-1]:
        raise UserError(
            f'{path} has {ends[-1]} rows; {start + count} are expected; restore the file'
        )
    first = int(np.searchsorted(ends, start, side='right')) - 1
    last = int(np.searchsorted(ends, start + count, side='left'))
    table = file.read_row_groups(list(range(first, last)))
    return table.slice(start - int(ends[first]), count)


def column_array(table: pa.Table, name: str, feature: Feature, where: str) -> np.ndarray:
    """Return column ``name`` as (T, *shape); ``where`` names the episode in errors.

    Raises:
        UserError: the column is missing, has empty cells or cells of another length.
    """
    if name not in table.column_names:
        raise UserError(f'{where} lacks the feature {name}; restore the file or drop the feature')
    column = table[name].combine_chunks()
    if column.null_count:
        raise UserError(f'{where} has {column.null_count} empty cells in {name}')
    while not pa.types.is_primitive(column.type):
        column = column.flatten()
    values = column.to_numpy(zero_copy_only=False)
    shape = (len(table), *feature.shape)
    if values.size != np.prod(shape):
        raise UserError(
            f'{where}: {name} holds {values.size} numbers; {shape} expected, '
            'so its frames have unequal lengths'
        )
    return np.asarray(values.reshape(shape).astype(feature.dtype, copy=False))


def column_pictures(table: pa.Table, camera: str, rows: Sequence[int], where: str) -> np.ndarray:
    """Return (N, H, W, 3) uint8 RGB of a camera whose frames are pictures in the data file.

    Raises:
        UserError: the column is missing, or a picture in it cannot be decoded.
    """
    if camera not in table.column_names:
        raise UserError(f'{where} lacks the camera {camera}; restore the file')
    pictures = []
    for row, cell in zip(rows, table[camera].take(list(rows)).to_pylist(), strict=True):
        try:
            with av.open(io.BytesIO(cell['bytes']), 'r') as container:
                frame = next(iter(container.decode(video=0)))
                pictures.append(frame.to_ndarray(format='rgb24'))
        except (av.FFmpegError, StopIteration, TypeError, KeyError) as error:
            raise UserError(
                f'{where}: {camera} has no picture at frame {row} ({type(error).__name__}); '
                'restore the file or leave the episode out'
            ) from None
    return np.stack(pictures)
