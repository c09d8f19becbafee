"""The scenes of the demonstration: one river valley on several dates, by three cameras."""

from datetime import UTC, datetime

from processing.simulate.atmosphere import Air
from processing.simulate.clouds import CloudLayer
from processing.simulate.spec import SceneSpec

_LAKE = (1.145, 45.51)
_TWO_TILES = (1.745, 45.55)


def demo_specs() -> tuple[SceneSpec, ...]:
    """Return the scenes: tile 31TCL in three seasons, one under clouds, one also on 31TDL.

    Their RPCs are wrong by several pixels, as those of real packages are.
    """
    return (
        SceneSpec(
            camera="GF1WFV1",
            time=datetime(2020, 6, 18, 10, 44, 12, tzinfo=UTC),
            centre=_LAKE,
            rows=1500,
            cols=1500,
            air=Air(0.18, east=0.08, north=-0.04),
            product_id="0004876201",
            rpc_error=(6.4, -3.7),
            seed=1,
        ),
        SceneSpec(
            camera="GF1WFV1",
            time=datetime(2020, 8, 22, 10, 46, 38, tzinfo=UTC),
            centre=(1.105, 45.53),
            rows=1500,
            cols=1500,
            air=Air(0.22, east=-0.06, north=0.05, water_g_cm2=2.6),
            clouds=CloudLayer(height_m=1900.0, cover=0.20, seed=11),
            product_id="0005010417",
            rpc_error=(-2.8, 9.1),
            seed=2,
        ),
        SceneSpec(
            camera="GF1WFV3",
            time=datetime(2021, 4, 20, 11, 2, 5, tzinfo=UTC),
            centre=(1.17, 45.50),
            rows=1500,
            cols=1500,
            air=Air(0.11, east=0.05, north=0.03, ozone_du=345.0, water_g_cm2=1.3),
            product_id="0005604338",
            rpc_error=(11.3, 4.6),
            seed=3,
        ),
        SceneSpec(
            camera="GF1WFV3",
            time=datetime(2020, 8, 26, 11, 1, 47, tzinfo=UTC),
            centre=_TWO_TILES,
            rows=1300,
            cols=1300,
            air=Air(0.15, east=0.05, north=-0.05),
            product_id="0005021190",
            rpc_error=(-7.9, -5.2),
            seed=4,
        ),
        SceneSpec(
            camera="GF6WFV",
            time=datetime(2020, 9, 4, 10, 58, 21, tzinfo=UTC),
            centre=_LAKE,
            rows=1200,
            cols=800,
            air=Air(0.14, east=-0.05, north=0.06, ozone_du=295.0, water_g_cm2=1.9),
            product_id="1120033217",
            rpc_error=(3.3, 8.4),
            seed=5,
        ),
    )


def sample_specs() -> tuple[SceneSpec, ...]:
    """Return two small scenes whose atmosphere is in the table too: GF1 under clouds, and GF6."""
    return (
        SceneSpec(
            camera="GF1WFV2",
            time=datetime(2020, 7, 11, 10, 52, 30, tzinfo=UTC),
            centre=_LAKE,
            rows=360,
            cols=360,
            air=Air(0.16, east=0.1, north=0.05),
            clouds=CloudLayer(height_m=1500.0, cover=0.15, size_m=2200.0, seed=5),
            product_id="0004931556",
            seed=6,
        ),
        SceneSpec(
            camera="GF6WFV",
            time=datetime(2021, 6, 2, 10, 57, 49, tzinfo=UTC),
            centre=_LAKE,
            rows=240,
            cols=120,
            air=Air(0.12, ozone_du=330.0, water_g_cm2=1.7),
            product_id="1120105583",
            overlap=16,
            seed=7,
        ),
    )
