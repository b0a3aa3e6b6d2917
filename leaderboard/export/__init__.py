"""``abaw export``: any table of the leaderboard, in the bytes that the page's buttons give."""
