"""Product contract, STAC items and collections, pgSTAC, API, exports, portal."""
