"""From PyTorch to any accelerator through ONNX, and what really runs where.

The room's files, in reading order: `session` opens a session that runs where it was asked to;
`export` goes from a PyTorch module to ONNX, with `translations`, `loops` and `rewrites` for what
PyTorch leaves out. Import from those modules; this file imports nothing, so that the room costs
nothing until it is entered.
"""
