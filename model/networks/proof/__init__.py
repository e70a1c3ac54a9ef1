"""The certificate of blindness: four checks (`checks`), and what they found (`certificate`)."""
