"""The reference of an API as one page of HTML that asks nothing of other sites.

FastAPI's own page loads scripts from a distribution network, which a site without a way out, or
one whose policy lets nothing else in, cannot show.
"""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.routing import Route

_PAGE = "swagger_ui_html"
"""Name of FastAPI's page, by which landing pages link to it."""
_PAGES = frozenset({_PAGE, "swagger_ui_redirect"})

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#12212f, #e6eef6);
  --soft: light-dark(#4d5d6c, #a9bacb); --paper: light-dark(#fff, #111a23);
  --line: light-dark(#d7e0e8, #273746); --accent: light-dark(#0b5cc0, #6db3ff);
  --sunk: light-dark(#eef3f8, #1e2c39); }
body { max-width: 68rem; margin: 0 auto; padding: 2rem 1.5rem 4rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.9rem; }
a { color: var(--accent); }
.soft, dt { color: var(--soft); }
details { border-top: 1px solid var(--line); }
summary { display: flex; gap: .8rem; align-items: baseline; padding: .6rem 0; cursor: pointer; }
summary code { overflow-wrap: anywhere; }
summary span { flex: 1; color: var(--soft); text-align: right; }
.verb { min-width: 3.4rem; padding: .05rem .4rem; border-radius: 4px; background: var(--sunk);
  font-size: .75rem; font-weight: 700; text-align: center; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .9rem; }
th, td { padding: .35rem .8rem .35rem 0; border-top: 1px solid var(--line); text-align: left;
  vertical-align: top; }
.inside { padding: 0 0 1.2rem 1.2rem; }
.inside p { white-space: pre-line; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; }
"""


def add_reference(app: FastAPI, path: str = "/api.html") -> None:
    """Serve the reference of an application's OpenAPI document in place of FastAPI's page.

    Parameters
    ----------
    app
        Application whose routes are described; the page is made at each request, so that routes
        added later are there too.
    path
        Where the page is to be found.
    """

    async def page(request: Request) -> HTMLResponse:
        """Answer with the page."""
        document = f"{request.scope.get('root_path', '')}{app.openapi_url}"
        return HTMLResponse(_page(app.openapi(), document))

    app.router.routes = [
        route
        for route in app.router.routes
        if not (isinstance(route, Route) and route.name in _PAGES)
    ]
    app.add_route(path, page, name=_PAGE, include_in_schema=False)


def _page(openapi: Mapping[str, Any], document: str) -> str:
    info = openapi["info"]
    title = escape(info["title"])
    entries = "".join(
        _operation(verb, path, operation, openapi)
        for path, verbs in openapi["paths"].items()
        for verb, operation in verbs.items()
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n'
        f"<title>{title}: API reference</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{title}</h1>\n<p class="soft">{escape(info.get("description", ""))}</p>\n'
        f'<p>For programs: <a href="{escape(document)}">OpenAPI {openapi["openapi"]}</a></p>\n'
        f"{entries}\n</main>\n</body>\n</html>\n"
    )


def _operation(
    verb: str, path: str, operation: Mapping[str, Any], openapi: Mapping[str, Any]
) -> str:
    """One route, folded up: what it does, what it takes, what it answers."""
    summary = operation.get("summary", "").strip()
    told = operation.get("description", "").strip()
    parts = [
        f"<p>{escape(told)}</p>" if told not in ("", "Endpoint.", summary) else "",
        _table("Parameters", _parameters(operation)),
        _table("Body", _body(operation, openapi)),
        _answers(operation),
    ]
    return (
        f'<details>\n<summary><b class="verb">{escape(verb.upper())}</b>'
        f"<code>{escape(path)}</code><span>{escape(summary)}</span></summary>\n"
        f'<div class="inside">{"".join(parts)}</div>\n</details>\n'
    )


def _parameters(operation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for one in operation.get("parameters", ()):
        needed = " (needed)" if one.get("required") else ""
        schema = one.get("schema", {})
        told = one.get("description") or schema.get("description", "")
        yield f"{one['name']}{needed}", _kind(schema), told


def _body(
    operation: Mapping[str, Any], openapi: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Fields of the first form in which a body is taken."""
    for form in operation.get("requestBody", {}).get("content", {}).values():
        schema = form.get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        fields = openapi.get("components", {}).get("schemas", {}).get(name, schema)
        for field, kind in fields.get("properties", {}).items():
            yield field, _kind(kind), kind.get("description", "")
        return


def _kind(schema: Mapping[str, Any]) -> str:
    """Type of a value in words, with its bounds."""
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"])
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    bounds = [
        f"{sign} {schema[key]}"
        for key, sign in (("minimum", "≥"), ("maximum", "≤"), ("maxLength", "length ≤"))
        if key in schema
    ]
    default = [f"default {schema['default']}"] if schema.get("default") is not None else []
    return ", ".join([str(schema.get("type", "any")), *bounds, *default])


def _answers(operation: Mapping[str, Any]) -> str:
    forms = dict.fromkeys(
        form
        for code, answer in operation.get("responses", {}).items()
        if code.startswith("2")
        for form in answer.get("content", {})
    )
    if not forms:
        return ""
    return f'<p class="soft">Answers as {escape(", ".join(forms))}</p>'


def _table(name: str, rows: Iterator[tuple[str, str, str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row"><code>{escape(key)}</code></th>'
        f"<td>{escape(kind)}</td><td>{escape(told)}</td></tr>"
        for key, kind, told in rows
    )
    if not cells:
        return ""
    return (
        f'<div class="wide"><table><thead><tr><th scope="col">{name}</th>'
        f'<th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>'
        f"<tbody>{cells}</tbody></table></div>"
    )
