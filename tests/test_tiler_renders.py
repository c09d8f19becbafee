"""Named pictures in queries."""

from urllib.parse import parse_qs

import pytest

from catalog.errors import ProductError
from catalog.renders import RENDERS
from tiler.renders import expand


@pytest.mark.parametrize("render", RENDERS, ids=lambda render: render.name)
def test_a_name_stands_for_what_the_collection_publishes(render) -> None:
    published = render.as_stac()
    query = parse_qs(expand(f"render={render.name}"))
    assert query["assets"] == published["assets"]
    assert query["resampling"] == [published["resampling"]]
    if "rescale" in published:
        low, high = map(float, query["rescale"][0].split(","))
        assert [[low, high]] == published["rescale"]
    assert query.get("colormap_name", [None])[0] == published.get("colormap_name")
    assert ("colormap" in query) == ("colormap" in published)
    assert "render" not in query


def test_what_is_said_wins_over_the_name() -> None:
    query = parse_qs(expand("render=aod&rescale=0,2000&tilesize=256"))
    assert query["rescale"] == ["0,2000"]
    assert query["tilesize"] == ["256"]
    assert query["assets"] == ["AOD"]


def test_other_queries_are_left_alone() -> None:
    query = "assets=SR%7Cbidx%3D3&filter=a%20%3D%201"
    assert expand(query) == query


def test_an_unknown_name_is_answered_with_the_known() -> None:
    with pytest.raises(ProductError, match=r"'sepia' is not known; known: true-colour, .*mask"):
        expand("render=sepia")
