"""Checks of the source tree that no general linter knows. Each is a script and a function."""
