"""The benchmarks: topics that measure, what they share, and what is written of them.

A topic (:mod:`suite.topics`) is a module with a ``TITLE``, a ``TEXT`` and ``measure(settings) -> rows``.
Timing (:mod:`suite.timing`), records on disk (:mod:`suite.records`), the other packages' environments
(:mod:`suite.peers`), targets, tables and figures are shared.  The command is ``benchmarks/run.py``.
"""
