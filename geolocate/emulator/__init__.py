"""A local stand-in for Street View, served over HTTP for people without a key."""
