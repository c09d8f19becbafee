"""Where a scene lies: RPC, heights, resampling, angles."""
