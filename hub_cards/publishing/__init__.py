"""A folder on the Hugging Face Hub: look at both, say what would change, upload in one commit, verify.

- what goes up: `publishable` (the files of a dataset or model folder, hashed), `token_search` (none may hold a token)
- what is there: `repository` (its files, branches and tags), `access` (whose token this is, and what it may)
- what changes: `changes` (pure), `publication` (all that is asked for, checked before anything is sent), `listing`
- doing it: `upload` (large files first, then one commit), `carrying_out` (repository, upload, check, tag, collection)
- `hub_failures`: which failures are worth another try, and each as one sentence
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
