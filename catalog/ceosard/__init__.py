"""Self-assessment against the CEOS-ARD Surface Reflectance specification."""
