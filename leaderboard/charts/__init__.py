"""Charts as Vega-Lite specifications; no Streamlit here.

The first page's chart is a plain specification, because Altair takes longer to import than that page to compute. All
other charts are made with Altair.
"""
