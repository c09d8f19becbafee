"""Everything HTTP about the catalogue."""
