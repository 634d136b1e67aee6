"""Pairs of kernels: one with a fault, marked ``# fault``, and its repaired twin.

A module is a family of mistakes; its ``PAIRS`` are the rows that `test_sanitizer_corpus` runs.
"""
