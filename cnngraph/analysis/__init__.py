"""Analyses, which compute facts about a `Graph`."""
