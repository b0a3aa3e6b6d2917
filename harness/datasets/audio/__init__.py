"""Audio on disk, a piece at a time: wav, FLAC, mp3, Ogg, and the audio of video files."""
