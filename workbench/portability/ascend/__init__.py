"""A simulated Ascend device under Huawei's unmodified execution provider.

Reading order: `chip` (what a learner fills in), `device` (the chip under Huawei's provider),
`kernels` (what it comes with), `programs` (whole graphs, as the provider's graph mode builds them)
and ``standin.cpp``, the stand-in for the vendor's libraries. Import `AscendDevice` from `device`.
"""
