"""A finished folder on the Hugging Face Hub: compare both, show what would change, upload in one commit.

- `publishable`: the files of a folder that may be uploaded, hashed and searched for access tokens
- `repository`: what the Hub holds now, what the folder would change there (`compare`), and whether the token may do it
- `plan`: everything that was asked for, checked before anything is sent, as text and as JSON
- `upload`: `publish` (repository and visibility, one commit, tag, collection)

Failures of the Hub and retries: `stackwalls.model.hub.failures`.
"""
