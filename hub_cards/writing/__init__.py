"""Writing: runs that can be killed, resumed and shared, and the dataset folders that they make.

- `run_store`: `RunStore`, named records under a lock and one finish; evaluations use it too
- `folder_writer`: `FolderWriter`, a dataset folder item by item
- `finishing`: from rows to shards, card and manifest, which is written last
"""
