"""From a Gaofen L1A package to ARD tile products: all the physics."""
