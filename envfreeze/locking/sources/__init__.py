"""Packages without a wheel: built once, without network, into wheels whose hash is locked.

What may be built is decided in `builder`, what uv learns of it in `knowledge`; `workshop` builds, twice, in a
`sandbox` with the locked tools of an `environment`; `repack` gives wheels one form.
"""
