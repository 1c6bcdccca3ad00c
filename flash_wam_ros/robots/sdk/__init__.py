"""The Unitree SDK's side of the wire: frames, CRC, DDS, and the port of a G1.

Only ``idl`` and ``dds`` import the SDK and CycloneDDS, when first used.
"""
