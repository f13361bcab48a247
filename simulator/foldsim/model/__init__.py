"""The physics: pure, vectorised functions of arrays. No YAML, no tables, no files, no printing.

Read in this order: ``records`` (what goes in), ``placement`` (where tensors live), ``tiling`` and ``traffic`` (bytes),
``roofline`` (time), ``energy`` and ``power``, ``memory``, and ``evaluate``, which chains them.
"""
