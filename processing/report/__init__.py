"""Reports about the production as a whole, from what the store keeps of its scenes."""
