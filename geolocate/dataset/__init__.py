"""From manifests to immutable, labelled, split dataset versions."""
