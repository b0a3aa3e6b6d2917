"""What is shown, computed from what the store holds; no Streamlit here."""
