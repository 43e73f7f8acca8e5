"""A local stand-in for Street View: an emulated world behind Google's two endpoints."""
