"""From a plan to images and their manifest: every request once, every point accounted for."""
