"""Studies: further answers about one matrix pair, computed only when a view asks for them.

`answers` holds the small ones, `cosines` the whole similarity matrix, `files` how they lie on disk.
"""
