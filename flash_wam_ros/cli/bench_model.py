"""``flash-wam bench model``: both plans timed against each other and against the machine."""

import argparse
from pathlib import Path

from flash_wam_ros.core import UserError, did_you_mean

HELP = 'time the model: reference and fused plans, beside the arithmetic floor'
EXAMPLE = 'flash-wam bench model --size 130m --preset robotwin --threads 2 --json bench.json'

_DTYPES = ('fp32', 'bf16')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('--size', default='130m', help='size of the network (default 130m)')
    parser.add_argument(
        '--preset', default='robotwin', help='whose cameras and chunks (default robotwin)'
    )
    parser.add_argument('--device', default='cpu', help='where it runs (default cpu)')
    parser.add_argument('--dtype', choices=_DTYPES, default='fp32', help='type (default fp32)')
    parser.add_argument('--threads', type=int, default=2, help='CPU threads (default 2)')
    parser.add_argument(
        '--repeats', type=int, default=5, help='runs of each one-step case (default 5)'
    )
    parser.add_argument(
        '--quick', action='store_true', help='one-step cases alone, without the many-step teacher'
    )
    parser.add_argument(
        '--cuda-graphs', action='store_true', help='replay fused passes as CUDA graphs'
    )
    parser.add_argument(
        '--json',
        type=Path,
        metavar='FILE',
        help='write the figures there; an interrupted run with the same settings goes on from it',
    )


def run(args: argparse.Namespace) -> int:
    """Run the benchmark and print its tables."""
    import torch

    from flash_wam_ros.cli.bench_model_run import Record, settings_of, time_all
    from flash_wam_ros.cli.bench_model_table import print_tables
    from flash_wam_ros.wam.benchmark import Bench
    from flash_wam_ros.wam.presets import preset
    from flash_wam_ros.wam.transformer import WorldActionTransformer

    for name in ('threads', 'repeats'):
        if getattr(args, name) < 1:
            raise UserError(f'--{name} is {getattr(args, name)}, expected >= 1')
    config = preset(args.preset, args.size)
    torch.set_num_threads(args.threads)
    dtype = torch.bfloat16 if args.dtype == 'bf16' else torch.float32
    device = _device(args.device)
    record = Record(args.json, settings_of(args))
    torch.manual_seed(0)
    with device:
        model = WorldActionTransformer(config.model).to(dtype).eval().requires_grad_(False)
    bench = Bench(model, config, cuda_graphs=args.cuda_graphs)
    time_all(bench, record, repeats=args.repeats, with_teacher=not args.quick)
    print_tables(bench, record)
    return 0


def _device(name: str) -> 'torch.device':  # type: ignore[name-defined]  # noqa: F821
    import torch

    kinds = ('cpu', 'cuda')
    if name.split(':')[0] not in kinds:
        raise UserError(f'unknown device {name!r}; {did_you_mean(name, kinds)}')
    if name.startswith('cuda') and not torch.cuda.is_available():
        raise UserError(f'device {name} is not there; use --device cpu')
    return torch.device(name)
