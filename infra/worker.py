"""A process that serves one part of the platform on a socket it was handed.

Started by the supervisor as ``python -m infra.worker PART --fd N``. It ends when its standard
input closes, so that it never outlives a supervisor that was killed.
"""

import argparse
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence

import uvicorn
from starlette.types import ASGIApp

from infra.parts import Part, Site, build
from infra.protocol import PromptProtocol
from infra.settings import InfraSettings

_GRACE_S = 5


def run(app: ASGIApp, listener: socket.socket, *, behind_front: bool = False) -> None:
    """Serve an application on a listening socket until the process is asked to end.

    Parameters
    ----------
    app
        What answers.
    listener
        Listening socket; closed at the end.
    behind_front
        Whether only a front of ours can reach this process from other machines, so that what it
        says about scheme and client is believed.
    """
    config = uvicorn.Config(
        app,
        http=PromptProtocol,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        forwarded_allow_ips="*" if behind_front else "127.0.0.1",
        timeout_graceful_shutdown=_GRACE_S,
    )
    uvicorn.Server(config).run(sockets=[listener])


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the part named on the command line."""
    parser = argparse.ArgumentParser(prog="infra.worker")
    parser.add_argument("part", type=Part, choices=list(Part))
    parser.add_argument("--fd", type=int, required=True, help="listening socket")
    parser.add_argument("--tiles", help="address of the tiler to pass /tiles on to")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    logging.getLogger("stac_fastapi").setLevel(logging.ERROR)  # it wants settings it is given
    settings = InfraSettings()
    read = settings.database_read_url
    if read is None or settings.public_url is None:
        parser.error("wanted GFARD_DATABASE_READ_URL and GFARD_PUBLIC_URL in the environment")
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    # The catalogue stands in front of the tiler and counts for both.
    counters = None if options.part is Part.TILER else settings.database_counters_url
    site = Site(
        settings,
        read.get_secret_value(),
        settings.public_url,
        counters.get_secret_value() if counters else "",
    )
    app = build(options.part, site, tiles=options.tiles)
    run(app, socket.socket(fileno=options.fd))


def _end_with_supervisor() -> None:
    """Wait for the end of standard input, which the supervisor holds open."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
