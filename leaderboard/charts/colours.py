"""Colours of all charts and tables, distinct for colour-blind readers (Okabe and Ito), in light and dark themes."""

# at least 3:1 against white and against Streamlit's dark background, because the page learns of a dark theme too late
RUN_COLOUR, PUBLISHED_COLOUR, CONSTANT_COLOUR = "#0072B2", "#D55E00", "#808080"
