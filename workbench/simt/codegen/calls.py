"""CUDA names, device functions and results of meetings, as calls in the generated module."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from workbench.errors import InputError
from workbench.simt.codegen.context import CONTEXT
from workbench.simt.codegen.trees import expression
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic
from workbench.simt.planning.nodes import MeetingResult
from workbench.simt.warp_ops import FULL_MASK


class Calls:
    """The part of the translator that writes calls."""

    def visit_Intrinsic(self, node: Intrinsic):
        """Write a CUDA name."""
        name, kind = node.intrinsic.name, node.intrinsic.kind
        if name in ("grid", "gridsize"):
            return self._grid(node)
        if kind == "fence":
            return ast.Constant(0)
        if kind == "atomic":
            return self._atomic(node)
        if name == "lanemask_lt":
            return expression("np.uint32((1 << (_t & 31)) - 1)")
        if name == "nanosleep":
            return ast.Constant(0)
        args = [self.visit(arg) for arg in node.args]
        if name.startswith("fp16."):
            function = f"workbench.simt.runtime.half_functions.{name.partition('.')[2]}"
            return ast.Call(expression(function), args, [])
        return ast.Call(ast.Name(f"lane_{name}", ast.Load()), args, [])

    def _grid(self, node: Intrinsic):
        count = self.constant(node.args[0]) if node.args else None
        if count not in (1, 2, 3):
            raise InputError(
                f"cuda.{node.intrinsic.name} takes 1, 2 or 3.",
                f"line {node.lineno}: {ast.unparse(node.args[0]) if node.args else 'nothing'}",
                "give the number of dimensions as a literal",
            )
        form = "_b{a} * {d} + _t{a}" if node.intrinsic.name == "grid" else "_g{a} * {d}"
        parts = [form.format(a=a, d=self.block[k]) for k, a in enumerate("xyz"[:count])]
        return expression(parts[0] if count == 1 else f"({', '.join(parts)})")

    def _atomic(self, node: Intrinsic):
        name = node.intrinsic.name.partition(".")[2]
        array, *rest = [ast.unparse(self.visit(arg)) for arg in node.args]
        if name == "compare_and_swap":
            name, rest = "cas", ["0", *rest]
        base = node.args[0]
        private = isinstance(base, ast.Name) and base.id in self.private
        call = f"{'private' if private else 'global'}_{name}"
        return expression(self.mode.atomic(node.site, call, array, rest[0], rest[1:]))

    def visit_DeviceCall(self, node: DeviceCall):
        """Write a call of a device function, with where the thread stands."""
        names = node.function.source.parameters
        given = dict(zip(names, node.args, strict=False))
        given.update({word.arg: word.value for word in node.keywords})
        defaults = node.function.tree.args.defaults
        for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            given.setdefault(name, value)
        args = [self.visit(given[name]) for name in names if name in given]
        context = [ast.Name(name, ast.Load()) for name in CONTEXT]
        function = ast.Name(self.device_name(node.function), ast.Load())
        return ast.Call(function, [*args, *context], [])

    def visit_MeetingResult(self, node: MeetingResult):
        """Write what a thread receives from a meeting."""
        mask = f"v_{node.mask}" if node.mask else "_everyone"
        name, args = node.intrinsic.name, [ast.unparse(self.visit(arg)) for arg in node.args]
        published = f"v_{node.published}" if node.published else ""
        if node.intrinsic.kind == "block":
            return expression(node.result)
        forms = {
            "shfl_sync": "lane_shuffled({v}, {m}, _t, ({x}) & 31)",
            "shfl_up_sync": "lane_shuffled({v}, {m}, _t, (_t & 31) - ({x}))",
            "shfl_down_sync": "lane_shuffled({v}, {m}, _t, (_t & 31) + ({x}))",
            "shfl_xor_sync": "lane_shuffled({v}, {m}, _t, (_t & 31) ^ ({x}))",
            "match_any_sync": "(lane_matching({v}, {m}, _t){own})",
            "match_all_sync": "lane_all_matching({v}, {m}, _t, np.uint32({among}))",
            "ballot_sync": "({r}[_t >> 5]{own})",
            "any_sync": "(({r}[_t >> 5]{own}) != 0)",
            "all_sync": "((({r}[_t >> 5] ^ {r}a[_t >> 5]){own}) == 0)",
            "eq_sync": "(({r}[_t >> 5]{own}) == 0 or (({r}[_t >> 5] ^ {r}a[_t >> 5]){own}) == 0)",
            "activemask": "{r}a[_t >> 5]",
        }
        operand = args[2] if len(args) > 2 else ""
        # groups of one warp may vote apart, each under its mask: a lane hears only of its own
        among = args[0] if args else str(FULL_MASK)
        own = "" if among == str(FULL_MASK) else f" & np.uint32({among})"
        return expression(
            forms[name].format(v=published, m=mask, x=operand, r=node.result, own=own, among=among)
        )
