"""Loops that bind sessions, encoders and edges; they hold no rules."""
