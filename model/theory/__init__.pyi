from .closed_forms import (
    XGRADCAM_EPSILON as XGRADCAM_EPSILON,
    gradcam_coefficients as gradcam_coefficients,
    gradcam_map as gradcam_map,
    hirescam_map as hirescam_map,
    pooled_gradient as pooled_gradient,
    xgradcam_coefficients as xgradcam_coefficients,
    xgradcam_map as xgradcam_map,
)
from .expectation import (
    CHEBYSHEV_THRESHOLD as CHEBYSHEV_THRESHOLD,
    INEQUALITIES as INEQUALITIES,
    Inequality as Inequality,
    conditional_expectation as conditional_expectation,
    dead_draw_norm as dead_draw_norm,
    expected_gradcam as expected_gradcam,
    gradcam_lower_bound as gradcam_lower_bound,
    patch_norms as patch_norms,
    rectified_mean as rectified_mean,
    rectified_norm_lower_bound as rectified_norm_lower_bound,
    rectified_norm_mean as rectified_norm_mean,
)
from .one_convolution import Networks as Networks, OneConvolution as OneConvolution
from .plots import (
    Stage as Stage,
    plot_digit as plot_digit,
    plot_pixels as plot_pixels,
    plot_stages as plot_stages,
    plot_sweeps as plot_sweeps,
    stages_of as stages_of,
)
from .simulation import (
    SIDE as SIDE,
    SWEEPS as SWEEPS,
    Estimate as Estimate,
    SweepPoint as SweepPoint,
    estimate_gradcam as estimate_gradcam,
    mnist_digit as mnist_digit,
    padded as padded,
    small_digit as small_digit,
    sweep as sweep,
)
