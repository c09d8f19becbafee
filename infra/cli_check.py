"""`gfard check`: products against their items, the catalogue, and a specification."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import StoreError
from infra.terminal import AsJson, print_json, read_settings, say

if TYPE_CHECKING:
    from catalog.ceosard.report import Assessment
    from catalog.check import Finding
    from catalog.store import Store

Where = Annotated[
    str,
    typer.Argument(help="A product's folder, or a store: its folder or s3:// address."),
]


def check(
    path: Where,
    catalogue: Annotated[
        bool,
        typer.Option("--catalogue", help="Compare a store with the catalogue too, both ways."),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Hide broken products, publish the others, remove items without files.",
        ),
    ] = False,
    ceos_ard: Annotated[
        bool,
        typer.Option("--ceos-ard", help="Assess a store's products against CEOS-ARD instead."),
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="With --ceos-ard: keep the reports in the store, to be published."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="With --ceos-ard: folder for the reports.", show_default="none"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare the files of products with their items; no findings when all agree.

    The code is 1 where an error was found, or where a product misses a threshold.
    """
    if ceos_ard:
        _assess(path, out, keep=keep, as_json=as_json)
        return
    findings = _findings(path)
    if catalogue or repair:
        findings += _against_catalogue(path, repair=repair, as_json=as_json)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            text = f"{finding.code} {finding.path}: {finding.reason} ({finding.hint})"
            say(text, label=f"{finding.level}: ")
        say(f"{path}: {len(findings)} findings")
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


def _findings(path: str) -> "list[Finding]":
    from catalog.check import check as check_products
    from catalog.check import check_store
    from catalog.settings import CheckSettings
    from catalog.stores import is_bucket, open_store

    schemas = CheckSettings().stac_schemas
    if is_bucket(path):
        return check_store(open_store(path), schemas)
    return check_products(Path(path), schemas)


def _against_catalogue(path: str, *, repair: bool, as_json: bool) -> "list[Finding]":
    """Return what is left between store and catalogue, after the repair if one is wanted."""
    from catalog import reconcile
    from catalog.stores import open_store
    from infra.database import database, ingest_dsn
    from infra.show import count

    settings = read_settings()
    store, address = open_store(path), settings.address(settings.port)
    with database(settings) as dsns:
        dsn = ingest_dsn(dsns)
        if repair:
            with count("repair") as counted:
                done = reconcile.repair(store, dsn, address, counted)
            if not as_json:
                _tell("quarantined", done.quarantined)
                _tell("removed from the catalogue", done.removed)
                say(f"published: {done.published}")
        with count("compare") as counted:
            return reconcile.compare(store, dsn, address, counted)


def _tell(what: str, items: Sequence[str]) -> None:
    for item in items:
        say(f"{what}: {item}")


def _assess(path: str, out: Path | None, *, keep: bool, as_json: bool) -> None:
    """Assess each collection of a store, and write its reports."""
    from catalog.ceosard.report import to_html
    from catalog.stores import open_store
    from infra.show import assessment_table, console, count

    store = open_store(path)
    settings = read_settings()
    with count("assess") as counted:
        found = _assessments(store, settings.address(settings.port), counted)
    if not found:
        raise StoreError(f"{store.label}: no product to assess; name a store that holds some")
    for name, assessment in found.items():
        reports = {
            "ceos-ard.json": json.dumps(assessment.to_dict(), indent=2).encode(),
            "ceos-ard.html": to_html(assessment, name).encode(),
        }
        for file, content in reports.items():
            if keep:
                store.put_report(name, file, content)
            if out is not None:
                (out / name).mkdir(parents=True, exist_ok=True)
                (out / name / file).write_bytes(content)
        if not as_json:
            console.print(assessment_table(name, assessment))
    if as_json:
        print_json({name: assessment.to_dict() for name, assessment in found.items()})
    if any(assessment.open_thresholds for assessment in found.values()):
        raise typer.Exit(1)


def _assessments(
    store: "Store", address: str, progress: Callable[[int], None]
) -> "dict[str, Assessment]":
    """Assess every product of a store as it is published; one report for each collection."""
    from catalog.ceosard.assess import Judgement, assess
    from catalog.ceosard.product import Product
    from catalog.ceosard.report import summarise
    from catalog.collections import collections
    from catalog.published import published_collection, published_version
    from catalog.versions import versions

    known = {each["id"]: published_collection(each, address) for each in collections()}
    judged: dict[str, list[tuple[str, tuple[Judgement, ...]]]] = defaultdict(list)
    for done, version in enumerate(versions(store.items()), start=1):
        stored = version.stored
        item = published_version(version, address)
        with store.local_copy(stored) as folder:
            found = assess(Product(item, known[stored.collection], folder))
        judged[stored.collection].append((str(stored.id), found))
        progress(done)
    return {name: summarise(found) for name, found in judged.items()}
