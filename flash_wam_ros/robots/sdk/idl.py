"""The SDK's IDL types, sped up: samples that carry their serialised bytes.

Stock (de)serialisation in Python takes about a millisecond a LowState_. A subclass of the IDL
type goes on the same topic (same name, members and type hash), hands DDS a prebuilt buffer and
keeps the bytes that it gets; `frame.Frame` reads them. Peers with the stock types notice nothing.
"""

import functools
import importlib
from typing import Any

from flash_wam_ros.core import UserError
from flash_wam_ros.robots.sdk.frame import HEADER

LOW_CMD = 'unitree_hg.LowCmd_'
LOW_STATE = 'unitree_hg.LowState_'
HAND_CMD = 'unitree_hg.HandCmd_'
HAND_STATE = 'unitree_hg.HandState_'
MOTOR_CMDS = 'unitree_go.MotorCmds_'
MOTOR_STATES = 'unitree_go.MotorStates_'
API_REQUEST = 'unitree_api.Request_'
API_RESPONSE = 'unitree_api.Response_'


def sdk_type(name: str) -> Any:
    """Return the SDK's own IDL class for a name such as ``unitree_hg.LowCmd_``.

    Raises:
        UserError: the SDK or CycloneDDS is not installed, or does not load.
    """
    module, _, type_name = name.partition('.')
    try:
        return getattr(importlib.import_module(f'unitree_sdk2py.idl.{module}.msg.dds_'), type_name)
    except (ImportError, OSError, AttributeError) as error:
        raise UserError(
            f'the Unitree SDK gives no {name} ({error}); '
            'run: pip install unitree-sdk2py-dimos cyclonedds'
        ) from error


@functools.cache
def fast_type(name: str) -> Any:
    """Return the fast subclass of the SDK's IDL class ``name``; samples have ``data: bytes``."""
    base = sdk_type(name)

    class FastSample(base, typename=base.__idl_typename__):  # type: ignore[misc, valid-type, call-arg]
        def serialize(self, *_: object, **__: object) -> bytes:
            return self.data  # type: ignore[no-any-return]

        @classmethod
        def deserialize(cls, data: bytes, *_: object, **__: object) -> Any:
            if data[:4] != HEADER:
                # Another encoding or byte order: let the SDK read it and write it as ours.
                data = base.deserialize(data).serialize(use_version_2=False)
            return sample_of(cls, bytes(data))

    # Share the base's type description, so that both are one type to DDS.
    FastSample.__idl__ = base.__idl__
    FastSample.__name__ = FastSample.__qualname__ = f'Fast{base.__name__}'
    return FastSample


def sample_of(fast: Any, data: bytes) -> Any:
    """Return a sample of the fast type ``fast`` that carries ``data``, header included."""
    sample = fast.__new__(fast)
    sample.data = data
    return sample
