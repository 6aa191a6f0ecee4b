"""``python -m void_server.cli``: what ``void`` runs, without its script."""

from void_server.cli import main

main()
