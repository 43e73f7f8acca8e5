"""Encoders, CLIP, losses and cached features."""
