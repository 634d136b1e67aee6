"""A simulated Ascend device under Huawei's unmodified execution provider.

Reading order: `device` (the device that a learner fills in), `kernels` (what it comes with),
`programs` (whole graphs, as the provider's graph mode builds them) and ``standin.cpp``, the
stand-in for the vendor's libraries. Import `AscendDevice` from `device`.
"""
