"""Entry script of the Streamlit app: ``abaw leaderboard`` runs it, with the store's path in ``ABAW_STORE``."""

from __future__ import annotations

import streamlit as st

from leaderboard.screens.links import all_pages

st.set_page_config(layout="wide")
# Streamlit leaves 6rem empty at the top, of which its own bar covers 3.75rem, and wide margins, which a wide table can
# use. A link is aligned with the text around it; a link to another run on the same page must not look selected.
# Streamlit's own CSV would turn a name that begins like a formula into one: our exports stand beside the tables (fixed
# text, without anything that a user wrote)
st.html(
    "<style>[data-testid='stMainBlockContainer'] { padding: 4.25rem min(2.5rem, 4vw) 5rem; }"
    "[data-testid='stMain'] [data-testid='stPageLink-NavLink'] { margin-left: -0.5rem; }"
    "[data-testid='stMain'] [data-testid='stPageLink-NavLink']:not(:hover) { background: none; }"
    "[data-testid='stElementToolbarButton']:has([aria-label='Download as CSV']) { display: none; }"
    # on a phone a list stands above the table: rank, name and score of a row, as wide as the screen
    "[data-testid='stLayoutWrapper']:has(> [class*='st-key-phone-list']) { display: none; }"
    "@media (max-width: 640px) {"
    " [data-testid='stLayoutWrapper']:has(> [class*='st-key-phone-list']) { display: flex; }"
    " .st-key-view, .st-key-filters, .st-key-run-score, .st-key-run-submission { gap: 0.5rem; }"
    "}"
    ".phone-list { width: 100%; border-collapse: collapse; }"
    ".phone-list th { text-align: left; font-weight: 600; }"
    ".phone-list th, .phone-list td { padding: 0.5rem 0.25rem; vertical-align: top;"
    " border-bottom: 1px solid rgba(128, 128, 128, 0.4); }"
    ".phone-list td:not(.number) { overflow-wrap: anywhere; }"
    ".phone-list .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }"
    ".phone-list a { color: inherit; }"
    ".page-links { margin: 0; padding: 0; list-style: none; overflow-wrap: anywhere; }"
    ".page-links a { color: inherit; text-decoration: underline; line-height: 1.9; }"
    "[data-testid='stApp'] [data-testid='stCaptionContainer'],"
    " [data-testid='stApp'] [data-testid='stCaptionContainer'] p { color: inherit; opacity: 0.9; }"
    "[data-baseweb='select'] > div > div > div:not(:has(*)), ::placeholder { color: inherit !important; opacity: 0.9; }"
    # selected values of a list: white on the dark theme's accent would be too pale to read
    "[data-baseweb='tag'] { background-color: rgba(128, 128, 128, 0.2) !important; color: inherit !important; }"
    "[data-baseweb='tag'] * { color: inherit !important; }"
    "[data-testid='stCode'] .token { color: inherit !important; }"
    ":focus-visible { outline: 2px solid currentColor; outline-offset: 2px; }</style>"
)
# Streamlit's own frame lacks roles for the page and its menu, which screen readers need, and a way to scroll a long
# line of code by keyboard; its sidebar has an attribute that its role forbids (fixed text, nothing that a user wrote)
st.html(
    """<script>
    (() => {
      if (window.abawFrame) return;
      const mend = () => {
        const set = (where, name, value) => document.querySelectorAll(where).forEach((element) => {
          if (element.getAttribute(name) !== value) element.setAttribute(name, value);
        });
        set("[data-testid='stMain']", "role", "main");
        set("[data-testid='stSidebar']", "role", "navigation");
        set("[data-testid='stSidebar']", "aria-label", "Pages");
        set("[data-testid='stCode'] pre", "tabindex", "0");
        set("g[role='graphics-symbol']:empty", "aria-hidden", "true");
        document.querySelectorAll("[data-testid='stSidebar'][aria-expanded]").forEach(
          (element) => element.removeAttribute("aria-expanded"));
      };
      window.abawFrame = new MutationObserver(mend);
      window.abawFrame.observe(document.body, {
        subtree: true, childList: true, attributes: true, attributeFilter: ["aria-expanded", "role"] });
      mend();
    })();
    </script>""",
    unsafe_allow_javascript=True,
)
st.navigation(all_pages(), position="top").run()
