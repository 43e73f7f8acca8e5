"""What a model is worth, beside chance, with intervals."""

from geolocate.evaluation.assess import Bootstrap, Question, assess
from geolocate.evaluation.compare import compare
from geolocate.evaluation.evaluate import evaluate

__all__ = ["Bootstrap", "Question", "assess", "compare", "evaluate"]
