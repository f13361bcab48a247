"""The analytical model: pure, vectorised functions of arrays, without YAML, tables, files or printing.

Reading order: ``records`` (inputs), ``placement`` (level of each tensor), ``tiling`` and ``traffic`` (bytes),
``roofline`` (time), ``energy`` and ``power``, ``memory``, and ``evaluate``, which chains them.
"""
