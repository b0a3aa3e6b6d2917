"""Transcripts of videos for which the data set has none: from a user's file or a speech recogniser, cached."""
