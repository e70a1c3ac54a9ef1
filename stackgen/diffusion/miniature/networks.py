"""The parts of the miniature as objects of diffusers and transformers, with random weights."""

from __future__ import annotations

from typing import Any

from stackwalls.stackgen.diffusion.miniature.examples import HEIGHT, MAX_TOKENS, WIDTH
from stackwalls.stackgen.diffusion.miniature.projection import CHANNELS, PATCH, SCALING, Projection
from stackwalls.stackgen.diffusion.miniature.projection import WIDTH as ENCODER_WIDTH

TEXT_WIDTH = 96
DECODER_WIDTH = 48
DENOISER_WIDTHS = (96, 144)


def new_autoencoder(projection: Projection) -> Any:
    """`AutoencoderTiny` with the projection as its encoder, and a small decoder of convolutions.

    A linear encoder needs no training, so decoder and denoiser can be trained side by side. Its latents, blurred colors
    and edges, are easy for a small denoiser.
    """
    autoencoder = _made(
        "AutoencoderTiny",
        encoder_block_out_channels=(ENCODER_WIDTH,) * 5,
        num_encoder_blocks=(0,) * 5,
        decoder_block_out_channels=(DECODER_WIDTH,) * 5,
        num_decoder_blocks=(3, 3, 3, 2, 1),
        latent_channels=CHANNELS,
        scaling_factor=SCALING,
    )
    autoencoder.encoder.layers.load_state_dict(projection.encoder_state())
    autoencoder.encoder.requires_grad_(False)
    return autoencoder


def new_text_encoder(tokenizer: Any) -> Any:
    """`CLIPTextModel` of two layers."""
    from transformers import CLIPTextConfig, CLIPTextModel

    return CLIPTextModel(
        CLIPTextConfig(
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_attention_heads=4,
            num_hidden_layers=2,
            vocab_size=len(tokenizer),
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def new_denoiser() -> Any:
    """`UNet2DConditionModel` of two resolutions; the prompt acts on every block, and through attention in the middle.

    `addition_embed_type="text"` adds the pooled prompt to the time embedding: which animal, in one vector.
    """
    return _made(
        "UNet2DConditionModel",
        sample_size=(HEIGHT // PATCH, WIDTH // PATCH),
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=DENOISER_WIDTHS,
        down_block_types=("DownBlock2D", "DownBlock2D"),
        mid_block_type="UNetMidBlock2DCrossAttn",
        up_block_types=("UpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=4,  # diffusers' name for the number of heads
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=8,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def new_scheduler() -> Any:
    """`DDIMScheduler` that predicts velocity and begins at pure noise (Lin et al., arXiv 2305.08891)."""
    return _made(
        "DDIMScheduler",
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,  # without effect on trailing steps; diffusers warns of 0
        set_alpha_to_one=False,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )


def assemble(tokenizer: Any, text_encoder: Any, denoiser: Any, autoencoder: Any) -> Any:
    """The `StableDiffusionPipeline` of the parts."""
    return _made(
        "StableDiffusionPipeline",
        vae=autoencoder.eval(),
        text_encoder=text_encoder.eval(),
        tokenizer=tokenizer,
        unet=denoiser.eval(),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        image_encoder=None,
        requires_safety_checker=False,
    )


def _made(name: str, **configuration: Any) -> Any:
    """An instance of a class of diffusers."""
    import diffusers

    return getattr(diffusers, name)(**configuration)
