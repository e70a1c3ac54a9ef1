"""The Hugging Face Hub: ids (`ids`), its failures as sentences (`failures`), limits on what a server may do (`client`).

`failures` is the only translator of what the Hub's clients raise; new kinds of failure go there.
"""
