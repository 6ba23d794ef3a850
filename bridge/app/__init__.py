"""Builds a worker from the settings, runs it, and stops it cleanly."""
