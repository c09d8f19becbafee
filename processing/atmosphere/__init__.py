"""From top-of-atmosphere to surface reflectance: radiative transfer, gases, aerosol."""
