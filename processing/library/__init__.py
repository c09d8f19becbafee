"""The surface library: what stable ground looks like, cell by cell, from every side."""
