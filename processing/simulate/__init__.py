"""Scenes with known truth: L1A packages made from surface reflectance and heights."""
