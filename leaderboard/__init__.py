"""The Streamlit app. Reads the results store; computes nothing that the store could hold."""
