"""Charts, all of them altair; no Streamlit here."""
