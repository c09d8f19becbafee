"""How it runs: the gfard command, private PostgreSQL, composed server, containers."""
