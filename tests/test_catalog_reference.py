"""The page of reference of an API: every route, and nothing from elsewhere."""

from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from starlette.testclient import TestClient

from catalog.web.reference import add_reference


class Wish(BaseModel):
    """A body."""

    limit: int | None = Field(default=10, description="Most <items>")


def _app() -> FastAPI:
    app = FastAPI(title="Tiles & more", openapi_url="/api", docs_url="/api.html")

    @app.get("/items/{item}", summary="One item")
    def item(item: str, size: Annotated[int, Query(ge=1, le=9, description="Side")] = 3) -> None:
        """Return it whole."""

    @app.post("/search")
    def search(wish: Wish) -> dict[str, str]:
        return {}

    add_reference(app)
    return app


def test_every_route_is_there_with_what_it_takes() -> None:
    app = _app()

    @app.get("/late")
    def late() -> None:
        """Come after the page."""

    page = TestClient(app, root_path="/tiles").get("/tiles/api.html").text
    for told in ("/items/{item}", "One item", "Return it whole.", "item (needed)", "/late"):
        assert told in page, told
    assert "<td>integer, ≥ 1, ≤ 9, default 3</td><td>Side</td>" in page
    assert "<td>integer</td><td>Most &lt;items&gt;</td>" in page
    assert "Tiles &amp; more" in page
    assert 'href="/tiles/api"' in page
    assert "api.html" not in page


def test_nothing_comes_from_elsewhere_and_links_by_name_still_hold() -> None:
    app = _app()
    page = TestClient(app).get("/api.html").text
    assert "<script" not in page
    assert "http:" not in page
    assert "https:" not in page
    assert app.url_path_for("swagger_ui_html") == "/api.html"
