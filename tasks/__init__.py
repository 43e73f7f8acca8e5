"""Prefect tasks, each a thin skin over one call of the library."""
