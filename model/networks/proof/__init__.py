"""The certificate of blindness: four checks, five at an inner layer (`checks`), and what they found (`certificate`)."""
