"""Benchmarks, one module a name: ``rows()`` measures and returns rows. Never run by the tests."""
