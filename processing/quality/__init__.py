"""What a pixel shows and how far it can be trusted: mask and qa."""
