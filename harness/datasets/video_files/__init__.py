"""Video files: frames, lengths and times, all read through OpenCV."""
