"""The ways to make a mask that are compared."""

from processing.quality.evaluate import Backend
from processing.quality.models import load_model

RULES = Backend("rules", rules=True, model=None)
NETWORK = Backend("network", rules=False, model=lambda level: load_model(level=level))
FUSED = Backend("fused", rules=True, model=lambda level: load_model(level=level))
PRIOR = Backend("fused", rules=True, model=lambda level: load_model(level=level), snow_chance=1.0)
