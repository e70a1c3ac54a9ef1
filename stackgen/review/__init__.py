"""A local web page for looking at every image and keeping or rejecting it.

`review_session` (a folder under review: rows, marks and decisions) → `review_server` (loopback only, behind a token)
→ the page in `templates/`.
"""
