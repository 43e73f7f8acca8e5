"""`python -m geolocate.cli`, the same as `geolocate`."""

from geolocate.cli import main

main()
