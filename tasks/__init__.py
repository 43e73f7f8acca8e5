"""Prefect tasks, each a thin skin over one call of the library."""

import logging

from tasks.logs import shorten_errors

# Prefect hands a run's log only what the library says at INFO, and Python's default is WARNING. Raising the root
# logger instead would fill the workers' logs with every HTTP request that Prefect sends.
logging.getLogger("geolocate").setLevel(logging.INFO)
shorten_errors()
