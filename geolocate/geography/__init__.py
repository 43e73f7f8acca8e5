"""Regions, boundaries, grids, places, suburbs, the ground partition, and distances."""
