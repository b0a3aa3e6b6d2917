"""Streamlit app that shows the results store. The store holds all that it can; the app computes the rest."""
