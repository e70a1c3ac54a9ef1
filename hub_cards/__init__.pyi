from .card import CARDS, Licence, regenerate_command, stack_mix_card
from .folder import Card, FolderWriter
from .manifest import KINDS, MANIFEST_FORMAT, MANIFEST_NAME, Manifest
from .reading import open_dataset
from .record import MEANINGS, encode_rows, stack_gen_features, stack_mix_features
from .stack_dataset import Batch, StackDataset
from .verification import verify
from .whole_files import disk_errors, whole_file, write_whole

__all__ = [
    "CARDS",
    "KINDS",
    "MANIFEST_FORMAT",
    "MANIFEST_NAME",
    "MEANINGS",
    "Batch",
    "Card",
    "FolderWriter",
    "Licence",
    "Manifest",
    "StackDataset",
    "disk_errors",
    "encode_rows",
    "open_dataset",
    "regenerate_command",
    "stack_gen_features",
    "stack_mix_card",
    "stack_mix_features",
    "verify",
    "whole_file",
    "write_whole",
]
