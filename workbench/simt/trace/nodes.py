"""Small pieces of syntax tree, for the rewriter."""

from __future__ import annotations

import ast
from typing import Any


def call_of(name: str, *arguments: ast.expr) -> ast.Call:
    """Return a call of a name."""
    return ast.Call(load_name(name), list(arguments), [])


def on_thread(method: str, *arguments: ast.expr) -> ast.Call:
    """Return a call of a method of the thread."""
    return ast.Call(ast.Attribute(load_name("_c"), method, ast.Load()), list(arguments), [])


def load_name(name: str) -> ast.Name:
    """Return a name that is read."""
    return ast.Name(name, ast.Load())


def store_name(name: str) -> ast.Name:
    """Return a name that is written."""
    return ast.Name(name, ast.Store())


def as_load(node: Any) -> ast.expr:
    """Return what a target reads as."""
    if isinstance(node, ast.Name):
        return ast.copy_location(load_name(node.id), node)
    return ast.copy_location(ast.Attribute(node.value, node.attr, ast.Load()), node)


def placed(node: Any, like: ast.AST) -> Any:
    """Give a new node and everything new in it the place of an old one."""
    ast.copy_location(node, like)
    return ast.fix_missing_locations(node)
