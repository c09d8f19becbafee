"""Tiles, previews and point reads over titiler."""
