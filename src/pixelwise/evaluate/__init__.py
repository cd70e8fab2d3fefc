"""Masks against masks: scores with intervals, from arrays (`scores`) or a model (`evaluate`)."""
