"""Sources of street-level imagery behind one small protocol."""
