"""Command ``abaw export``: any table of the leaderboard, byte for byte as the pages export it."""
