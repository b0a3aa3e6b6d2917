"""Contents of the pages, computed from the store and the run folders, independent of Streamlit."""
