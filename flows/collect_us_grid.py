"""collect-us-grid: panoramas over the United States, cell by cell."""

from flows.collecting import grid_flow

collect_us_grid = grid_flow("collect-us-grid", "us", default_km=200.0, default_per_cell=4)
