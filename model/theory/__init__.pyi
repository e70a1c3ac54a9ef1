from .closed_forms import (
    XGRADCAM_EPSILON,
    gradcam_coefficients,
    gradcam_map,
    hirescam_map,
    pooled_gradient,
    xgradcam_coefficients,
    xgradcam_map,
)
from .digits import SIDE, mnist_digit, padded, small_digit
from .expectation import conditional_expectation, expected_gradcam, gradcam_lower_bound, patch_norms
from .gaussian import (
    CHEBYSHEV_THRESHOLD,
    INEQUALITIES,
    Inequality,
    dead_draw_norm,
    rectified_mean,
    rectified_norm_lower_bound,
    rectified_norm_mean,
)
from .monte_carlo import Estimate, estimate_gradcam
from .one_convolution import Networks, OneConvolution
from .plots import plot_digit, plot_pixels, plot_sweeps
from .sweeps import SWEEPS, SweepPoint, sweep

__all__ = [
    "CHEBYSHEV_THRESHOLD",
    "INEQUALITIES",
    "SIDE",
    "SWEEPS",
    "XGRADCAM_EPSILON",
    "Estimate",
    "Inequality",
    "Networks",
    "OneConvolution",
    "SweepPoint",
    "conditional_expectation",
    "dead_draw_norm",
    "estimate_gradcam",
    "expected_gradcam",
    "gradcam_coefficients",
    "gradcam_lower_bound",
    "gradcam_map",
    "hirescam_map",
    "mnist_digit",
    "padded",
    "patch_norms",
    "plot_digit",
    "plot_pixels",
    "plot_sweeps",
    "pooled_gradient",
    "rectified_mean",
    "rectified_norm_lower_bound",
    "rectified_norm_mean",
    "small_digit",
    "sweep",
    "xgradcam_coefficients",
    "xgradcam_map",
]
