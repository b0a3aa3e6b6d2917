"""Encoders: pretrained or fixed networks from frames, audio or text to features, which are computed once and cached."""
