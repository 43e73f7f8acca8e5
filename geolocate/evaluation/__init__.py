"""What a model is worth, beside chance, with intervals."""
