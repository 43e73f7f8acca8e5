"""Street-level image geolocation for restricted regions, from collecting data to a model that people use."""

__version__ = "0.1.0"
