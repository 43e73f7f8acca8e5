"""collect-uk-grid: panoramas over the United Kingdom, cell by cell."""

from flows.collecting import grid_flow

collect_uk_grid = grid_flow("collect-uk-grid", "uk", default_km=50.0, default_per_cell=4)
