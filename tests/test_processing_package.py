"""L1A packages in every published variant, and every way in which one can be broken."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from catalog.errors import (
    GeometryError,
    ImageError,
    MetadataError,
    PackageError,
    SunCheckError,
    UnknownSensorError,
    UnsafeArchiveError,
)
from processing.package import open_package
from tests.l1a_packages import (
    COLS,
    GF1,
    GF1_SCENE,
    GF1_WEST,
    GF6,
    GF6_SCENE,
    ROWS,
    WEST_SCENE,
    Made,
    member,
    pack,
    pixels_of,
    rpb_text,
    write_image,
    write_scene,
    xml_text,
)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """Folder for extraction that must be empty again after every test, failed or not."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def refused(path: Path, scratch: Path, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught, open_package(path, scratch):
        pytest.fail("the package was opened")
    assert "\n" not in str(caught.value)


# --- what is accepted -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz"])
@pytest.mark.parametrize("inside", ["", "nested/", "./a/b/"])
def test_archives_open_and_leave_nothing(
    tmp_path: Path, scratch: Path, kind: str, inside: str
) -> None:
    archive = pack(write_scene(tmp_path / GF1), kind, inside)
    with open_package(archive, scratch) as package:
        assert package.name == GF1
        assert package.camera.name == "GF1WFV1"
        assert (package.product_id, package.scene_id) == ("4418304", "5421967")
        assert package.centre_time == datetime(2019, 11, 24, 3, tzinfo=UTC)
        assert package.end_time - package.start_time == timedelta(seconds=28)
        assert package.corners[0] == (111.7, 23.9)
        assert package.corners[2] == (114.3, 21.9)
        assert package.cloud_percent == 7.0
        assert package.gains is None
        (part,) = package.parts
        assert (part.index, part.width, part.height, part.bands) == (1, COLS, ROWS, 4)
        np.testing.assert_array_equal(part.read(0, 0, ROWS, COLS), pixels_of(GF1_SCENE))
        np.testing.assert_array_equal(part.read(3, 5, 2, 4), pixels_of(GF1_SCENE)[:, 3:5, 5:9])
        extracted = {path.suffix for path in part.image.parent.iterdir()}
        assert extracted == {".tiff", ".xml", ".rpb"}


def test_folders_open_in_place_at_any_depth(tmp_path: Path) -> None:
    write_scene(tmp_path / "given" / "deep" / GF1)
    with open_package(tmp_path / "given") as package:
        assert package.sha256 is None
        assert package.parts[0].rpc.lon_offset == 113.0


def test_what_a_killed_run_left_is_cleared_and_what_others_use_stays(
    tmp_path: Path, scratch: Path
) -> None:
    archive = pack(write_scene(tmp_path / "scene"), "tar.gz")
    dead = scratch / "gfard-l1a.draft-dead"
    dead.mkdir()
    (dead / f"{GF1}.tiff").write_bytes(bytes(1000))
    with open_package(archive, scratch):
        assert not dead.exists()
        (alive,) = scratch.iterdir()
        with open_package(archive, scratch):
            assert alive.is_dir()
            assert len(list(scratch.iterdir())) == 2


def test_archive_hash_and_progress(tmp_path: Path, scratch: Path) -> None:
    import hashlib

    archive = pack(write_scene(tmp_path / GF1), "tar.gz")
    shares: list[float] = []
    with open_package(archive, scratch, shares.append) as package:
        assert package.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_west_and_south_names_fractional_seconds_and_utc(tmp_path: Path) -> None:
    made = replace(
        WEST_SCENE,
        tags={
            "StartTime": "2016-07-15 14:44:58.0",
            "CenterTime": "2016-07-15 14:45:12.5",
            "EndTime": "2016-07-15T14:45:26",
            "SolarAzimuth": "29.3",
        },
    )
    with open_package(write_scene(tmp_path / "p", made)) as package:
        assert package.camera.name == "GF1WFV2"
        assert package.centre_time == datetime(2016, 7, 15, 14, 45, 12, 500000, UTC)
        assert (package.sun_check.time_zone, package.sun_check.angle_sense) == ("UTC", "zenith")


@pytest.mark.parametrize(
    "tags",
    [
        {"ProductLevel": "L1A"},
        {"CenterLatitude": "22.9", "CenterLongitude": "113.0"},
        {"CloudPercent": ""},
        {"CloudPercent": None, "SceneID": None, "ReceiveTime": None},
        {"AGain": "NULL"},
        {"AbsCeof": ""},
        {"AGain": "0.17,NULL,0.12,0.13"},
        {"AGain": "0,0.0,0,0"},
        {"RegionName": "广东 & 海南"},
    ],
)
def test_published_variants_of_the_metadata(tmp_path: Path, tags: dict[str, str | None]) -> None:
    made = replace(GF1_SCENE, tags=tags)
    with open_package(write_scene(tmp_path / "p", made)) as package:
        assert package.gains is None
        assert package.cloud_percent == (None if "CloudPercent" in tags else 7.0)
        assert package.scene_id == (None if "SceneID" in tags else "5421967")


@pytest.mark.parametrize("tag", ["AGain", "AbsCeof"])
def test_gains_of_the_metadata_are_read(tmp_path: Path, tag: str) -> None:
    made = replace(GF1_SCENE, tags={tag: "0.1889, 0.1495,0.1228,0.1352"})
    with open_package(write_scene(tmp_path / "p", made)) as package:
        assert package.gains == (0.1889, 0.1495, 0.1228, 0.1352)


def test_other_files_are_ignored(tmp_path: Path, scratch: Path) -> None:
    folder = write_scene(tmp_path / GF1)
    (folder / "order.xml").write_text("<order/>")
    (folder / f"{GF1}.rpb.aux.xml").write_text("<PAMDataset/>")
    (folder / f"{GF1}.shp").write_bytes(b"")
    with open_package(pack(folder, "tar.gz"), scratch) as package:
        assert package.name == GF1


def test_suffixes_in_capitals(tmp_path: Path) -> None:
    folder = write_scene(tmp_path / "p")
    for path in list(folder.glob(f"{GF1}.*")):
        path.rename(path.with_suffix(path.suffix.upper()))
    with open_package(folder) as package:
        assert package.parts[0].image.suffix == ".TIFF"


def test_gf6_has_three_parts_and_one_xml(tmp_path: Path, scratch: Path) -> None:
    archive = pack(write_scene(tmp_path / GF6, GF6_SCENE), "tar.gz")
    with open_package(archive, scratch) as package:
        assert package.camera.name == "GF6WFV"
        assert [part.index for part in package.parts] == [1, 2, 3]
        assert [part.rpc.lon_offset for part in package.parts] == [131.9, 132.4, 132.9]
        for number, part in enumerate(package.parts):
            np.testing.assert_array_equal(part.read(0, 0, ROWS, COLS), pixels_of(GF6_SCENE, number))


@pytest.mark.parametrize("width", [COLS, 3 * COLS - 4, 3 * COLS])
def test_gf6_width_may_mean_part_or_scene(tmp_path: Path, width: int) -> None:
    made = replace(GF6_SCENE, tags={"WidthInPixels": str(width)})
    with open_package(write_scene(tmp_path / "p", made)) as package:
        assert len(package.parts) == 3


def test_gf6_scene_level_rpb_stands_in_for_missing_ones(tmp_path: Path) -> None:
    """A ground point in part 2 must fall on the column it has in the whole, less part 1."""
    folder = write_scene(tmp_path / "p", GF6_SCENE)
    for path in folder.glob("*.rpb"):
        path.unlink()
    (folder / f"{GF6}.rpb").write_text(rpb_text(132.4, 35.8, 3 * COLS))
    with open_package(folder) as package:
        columns = [float(part.rpc.image(132.4, 35.8, 100.0)[1]) for part in package.parts]
        assert columns == pytest.approx([1.5 * COLS - 0.5, 0.5 * COLS - 0.5, -0.5 * COLS - 0.5])


def test_gf6_scene_level_rpb_of_another_span_is_refused(tmp_path: Path, scratch: Path) -> None:
    folder = write_scene(tmp_path / "p", GF6_SCENE)
    (folder / f"{GF6}-2.rpb").unlink()
    (folder / f"{GF6}.rpb").write_text(rpb_text(132.4, 35.8))
    refused(folder, scratch, PackageError, f"spans 24 columns, the parts 72; {GF6}-2.rpb wanted")


# --- the position of the sun ------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["UTC", "UTC+8"])
@pytest.mark.parametrize("sense", ["zenith", "elevation"])
@pytest.mark.parametrize("scene", [GF1_SCENE, WEST_SCENE, GF6_SCENE])
def test_clock_and_angle_sense_are_found(
    tmp_path: Path, zone: str, sense: str, scene: Made
) -> None:
    local = (scene.utc + timedelta(hours=8 if zone == "UTC+8" else 0)).replace(tzinfo=None)
    zenith = scene.sun[0] if sense == "zenith" else 90.0 - scene.sun[0]
    tags: dict[str, str | None] = {
        "StartTime": str(local - timedelta(seconds=14)),
        "CenterTime": str(local),
        "EndTime": str(local + timedelta(seconds=14)),
        "SolarZenith": f"{zenith:.4f}",
    }
    made = replace(scene, tags=scene.tags | tags)
    with open_package(write_scene(tmp_path / "p", made)) as package:
        check = package.sun_check
        assert (check.time_zone, check.angle_sense) == (zone, sense)
        assert max(check.zenith_error_deg, check.azimuth_error_deg) < 0.05
        assert package.centre_time == scene.utc
        assert package.sun_zenith_deg == pytest.approx(scene.sun[0], abs=0.02)
        assert package.sun_azimuth_deg == pytest.approx(scene.sun[1], abs=0.05)


def test_sun_beyond_the_antimeridian(tmp_path: Path) -> None:
    """Corners on both sides of 180 degrees: the centre is not at Greenwich."""
    made = replace(
        GF1_SCENE,
        name="GF1_WFV1_E179.9_N10.0_20180622_L1A0003208108",
        centre=(179.9, 10.0),
        utc=datetime(2018, 6, 21, 22, 40, tzinfo=UTC),
        sun=(23.792, 53.051),
        tags={"TopRightLongitude": "-178.8", "BottomRightLongitude": "-178.8"},
    )
    with open_package(write_scene(tmp_path / "p", made)) as package:
        assert package.sun_check.zenith_error_deg < 0.05


@pytest.mark.parametrize(
    "tags",
    [
        {"SolarZenith": "48.2"},
        {"SolarAzimuth": "158.0"},
        {"CenterTime": "2019-11-24 17:00:00", "EndTime": "2019-11-24 18:00:00"},
    ],
)
def test_sun_that_fits_nothing_shows_all_four_readings(
    tmp_path: Path, scratch: Path, tags: dict[str, str | None]
) -> None:
    folder = write_scene(tmp_path / "p", replace(GF1_SCENE, tags=tags))
    refused(
        folder,
        scratch,
        SunCheckError,
        r"UTC\+8 zenith: .*UTC zenith: .*UTC\+8 elevation: .*UTC elevation: ",
    )


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.5, 0.6, 0.7, 0.75])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz"])
def test_truncated_archive(tmp_path: Path, scratch: Path, kind: str, share: float) -> None:
    archive = pack(write_scene(tmp_path / GF1), kind)
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * share)])
    refused(archive, scratch, PackageError, "damaged, truncated or no tar")


def test_flipped_byte_in_gzip_is_caught_by_its_checksum(tmp_path: Path, scratch: Path) -> None:
    archive = pack(write_scene(tmp_path / GF1), "tar.gz")
    content = bytearray(archive.read_bytes())
    content[-8] ^= 1
    archive.write_bytes(content)
    refused(archive, scratch, PackageError, "damaged.*CRC")


def test_file_that_is_no_archive(tmp_path: Path, scratch: Path) -> None:
    path = tmp_path / "scene.tar.gz"
    path.write_bytes(b"<html>404</html>" * 100)
    refused(path, scratch, PackageError, "no tar")
    refused(tmp_path / "absent.tar.gz", scratch, PackageError, "no such file")


@pytest.mark.parametrize(
    "name",
    [f"../{GF1}.tiff", f"/{GF1}.tiff", f"a/../../{GF1}.rpb", "../unknown.txt", f"a\\{GF1}.xml"],
)
def test_traversal_is_refused_even_in_unknown_names(
    tmp_path: Path, scratch: Path, name: str
) -> None:
    archive = pack(write_scene(tmp_path / GF1), "tar")
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member(name), io.BytesIO(b"x"))
    refused(archive, scratch, UnsafeArchiveError, "would leave the folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == [GF1, f"{GF1}.tar", "scratch"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_refused(tmp_path: Path, scratch: Path, kind: bytes) -> None:
    archive = pack(write_scene(tmp_path / GF1), "tar")
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member("extra.txt", kind=kind))
    refused(archive, scratch, UnsafeArchiveError, "link or device")


def test_same_file_twice_is_refused(tmp_path: Path, scratch: Path) -> None:
    archive = pack(write_scene(tmp_path / GF1), "tar")
    with tarfile.open(archive, "a") as tar:
        tar.addfile(member(f"b/{GF1}.xml"), io.BytesIO(b"x"))
    refused(archive, scratch, UnsafeArchiveError, "more than once")
    folder = write_scene(tmp_path / "p")
    write_scene(folder / "again")
    refused(folder, scratch, PackageError, "holds both")


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE p [<!ENTITY e "x">]>',
        '<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_are_refused(tmp_path: Path, scratch: Path, head: str) -> None:
    folder = write_scene(tmp_path / GF1)
    text = xml_text(GF1_SCENE).replace("<ProductMetaData>", f"{head}<ProductMetaData>")
    (folder / f"{GF1}.xml").write_text(text.replace(">7<", ">&e;<"))
    refused(pack(folder, "tar"), scratch, MetadataError, "declares entities")


@pytest.mark.parametrize(
    ("text", "message"),
    [("<ProductMetaData><a>", "not well-formed"), ("<order/>", "'ProductMetaData' wanted")],
)
def test_other_xml_is_refused(tmp_path: Path, scratch: Path, text: str, message: str) -> None:
    folder = write_scene(tmp_path / GF1)
    (folder / f"{GF1}.xml").write_text(text)
    refused(pack(folder, "tar"), scratch, MetadataError, message)


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"ProductID": None}, "ProductID is missing"),
        ({"ProductLevel": "LEVEL2A"}, "'LEVEL2A'"),
        ({"SolarZenith": "NULL"}, "SolarZenith is missing"),
        ({"SolarZenith": "nan"}, "SolarZenith is 'nan'"),
        ({"TopLeftLatitude": "123"}, "TopLeftLatitude is '123'"),
        ({"WidthInPixels": "-3"}, "WidthInPixels is '-3'"),
        ({"CenterTime": "24/11/2019 11:00"}, "CenterTime is '24/11/2019 11:00'"),
        ({"CenterTime": "2019-13-24 11:00:00"}, "CenterTime is '2019-13-24"),
        ({"StartTime": "2019-11-24 12:00:00"}, "not in this order"),
        ({"AGain": "a,b,c,d"}, "AGain is 'a,b,c,d'"),
        ({"SensorID": "WFV2"}, "SensorID WFV2; GF1 and WFV1 wanted"),
    ],
)
def test_unusable_metadata_names_tag_and_value(
    tmp_path: Path, scratch: Path, tags: dict[str, str | None], message: str
) -> None:
    folder = write_scene(tmp_path / "p", replace(GF1_SCENE, tags=tags))
    refused(folder, scratch, MetadataError, message)


@pytest.mark.parametrize(
    ("suffix", "error"), [(".rpb", PackageError), (".tiff", ImageError), (".xml", MetadataError)]
)
def test_missing_file_is_named(
    tmp_path: Path, scratch: Path, suffix: str, error: type[Exception]
) -> None:
    folder = write_scene(tmp_path / GF1)
    (folder / f"{GF1}{suffix}").unlink()
    refused(pack(folder, "tar.gz"), scratch, error, f"{GF1}.tar.gz: {GF1}{suffix} is missing")


def test_missing_part_of_gf6_is_named(tmp_path: Path, scratch: Path) -> None:
    folder = write_scene(tmp_path / GF6, GF6_SCENE)
    (folder / f"{GF6}-2.tiff").unlink()
    refused(pack(folder, "tar"), scratch, ImageError, f"{GF6}-2.tiff is missing")


def test_two_scenes_in_one_package(tmp_path: Path, scratch: Path) -> None:
    folder = write_scene(tmp_path / "p")
    write_scene(folder, WEST_SCENE)
    refused(folder, scratch, PackageError, f"exactly one L1A scene.*{GF1}, {GF1_WEST}")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", scratch, PackageError, "found: none")


def test_other_level_and_unknown_sensor(tmp_path: Path, scratch: Path) -> None:
    level2 = replace(GF1_SCENE, name=GF1.replace("L1A", "L2A"))
    refused(write_scene(tmp_path / "a", level2), scratch, PackageError, "level 2A, 1A wanted")
    pms = replace(GF1_SCENE, name="GF2_PMS1_E108.0_N21.7_20250402_L1A14547899001")
    refused(write_scene(tmp_path / "b", pms), scratch, UnknownSensorError, "GF2PMS1")


@pytest.mark.parametrize("made", [GF1_SCENE, GF6_SCENE])
@pytest.mark.parametrize("tag", ["WidthInPixels", "HeightInPixels"])
def test_image_of_another_size(tmp_path: Path, scratch: Path, made: Made, tag: str) -> None:
    wrong = replace(made, tags=made.tags | {tag: str(3 * COLS + 1)})
    refused(
        write_scene(tmp_path / "p", wrong), scratch, ImageError, "announced, images are 24 x 20"
    )


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, ROWS, COLS), np.uint16), "every pixel is 0"),
        (np.ones((3, ROWS, COLS), np.uint16), "3 bands of uint16, 4 of uint16"),
        (np.ones((4, ROWS, COLS), np.uint8), "4 bands of uint8"),
    ],
)
def test_unusable_image(
    tmp_path: Path, scratch: Path, pixels: NDArray[np.generic], message: str
) -> None:
    folder = write_scene(tmp_path / GF1)
    write_image(folder / f"{GF1}.tiff", pixels)
    refused(pack(folder, "tar"), scratch, ImageError, message)


def test_truncated_image_and_image_that_is_none(tmp_path: Path, scratch: Path) -> None:
    folder = write_scene(tmp_path / "p")
    image = folder / f"{GF1}.tiff"
    image.write_bytes(image.read_bytes()[:-200])
    refused(folder, scratch, ImageError, "damaged, truncated")
    image.write_text('<VRTDataset rasterXSize="24" rasterYSize="20"></VRTDataset>')
    refused(folder, scratch, ImageError, "no TIFF")


def test_rpc_of_another_scene_or_without_values(tmp_path: Path, scratch: Path) -> None:
    folder = write_scene(tmp_path / "p")
    (folder / f"{GF1}.rpb").write_text(rpb_text(117.0, 22.9))
    refused(folder, scratch, PackageError, "belongs to another scene")
    (folder / f"{GF1}.rpb").write_text("BEGIN_GROUP = IMAGE\nEND;\n")
    refused(folder, scratch, GeometryError, f"{GF1}.rpb: lineOffset")


def test_window_outside_the_image(tmp_path: Path) -> None:
    with (
        open_package(write_scene(tmp_path / "p")) as package,
        pytest.raises(ImageError, match="leaves the image of 20 x 24"),
    ):
        package.parts[0].read(ROWS - 1, 0, 2, COLS)
