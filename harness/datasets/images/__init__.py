"""Images on disk: numbered files, folders, placeholders."""
