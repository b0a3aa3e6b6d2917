"""Charts as Vega-Lite specifications, independent of Streamlit.

The first page's chart is a plain specification, because importing Altair takes longer than computing that page. Altair
makes all other charts.
"""
