"""Recorded activations of the published network, repeated and compared.

A folder holds ``units.safetensors``, ``train_*.safetensors`` and ``infer_*.safetensors`` with a
``.json`` each, in any number, beside ``tiny_config.json`` and ``tiny_state_dict.safetensors``.
"""

from flash_wam_ros.wam.golden.folder import run_folder
from flash_wam_ros.wam.golden.result import TOLERANCES, CaseResult

__all__ = ['TOLERANCES', 'CaseResult', 'run_folder']
