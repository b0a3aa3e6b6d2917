"""Pretrained or fixed networks: frames in, features out, computed once and cached."""
