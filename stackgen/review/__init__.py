"""A page on this machine to look at every picture and to keep it or turn it down.

`review_session` (a folder under review: rows, marks and decisions) → `review_server` (loopback only, behind a token)
→ the page in `templates/`. Beside them: `marks` (where the wall and the boxes lie on a picture; pure).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
