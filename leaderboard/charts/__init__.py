"""Charts, all of them altair; no Streamlit here."""

from altair.utils import schemapi

# altair checks each part of a chart as it is made, and the whole again when it is drawn: once is enough
schemapi.disable_debug_mode()
