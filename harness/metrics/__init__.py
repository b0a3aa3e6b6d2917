"""Official metrics, computed from sufficient statistics per video, with bootstrap intervals over videos."""
