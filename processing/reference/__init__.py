"""Reference images: where the ground truly lies, from files, a STAC API or the own archive."""
