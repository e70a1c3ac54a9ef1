"""The process that the code runs in: device and threads, its share of a run, workers, signals, third-party code in it.

- `device` (which one, and when its memory runs out), `parallel` (threads)
- `launcher` (this process's share of a shared run)
- `cluster` (tasks to the workers of a Ray cluster, results back), `worker_pool` (its workers, and who has which task)
- `signals` (Ctrl-C, once), `foreign` (third-party code cannot end the process, or spoil what it prints)
"""
