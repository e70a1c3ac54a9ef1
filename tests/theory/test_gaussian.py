"""The lemmas, each against numerical integration or a value worked out by hand."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from stackwalls.model import InputError
from stackwalls.model.theory import (
    CHEBYSHEV_THRESHOLD,
    dead_draw_norm,
    rectified_mean,
    rectified_norm_lower_bound,
    rectified_norm_mean,
)

SQUARE_MEAN, SQUARE_VARIANCE = 1 / 2, 5 / 4  # of ReLU(g)²: Lemma 11 of docs/theory.md


def integral_norm(count: int) -> float:
    """E sqrt(S) = 1/(2 sqrt(pi)) · integral of (1 - E exp(-t S)) t^(-3/2), another way to m_n, with t = s²."""

    def integrand(s: float) -> float:
        laplace = (1 + (1 + 2 * s * s) ** -0.5) / 2  # E exp(-t ReLU(g)²)
        return -math.expm1(count * math.log(laplace)) / (s * s)

    middle, _ = integrate.quad(integrand, 0, 1, epsabs=1e-12)
    tail, _ = integrate.quad(integrand, 1, math.inf, epsabs=1e-12)
    return (middle + tail) / math.sqrt(math.pi)


def test_rectified_norm_by_hand() -> None:
    assert rectified_norm_mean(1) == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-14)
    # none of two positive, one (half normal), both (Rayleigh)
    by_hand = 1 / 2 * math.sqrt(2 / math.pi) + 1 / 4 * math.sqrt(math.pi / 2)
    assert rectified_norm_mean(2) == pytest.approx(by_hand, rel=1e-14)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20, 21, 64, 256, 1000])
def test_rectified_norm_by_integration(count: int) -> None:
    assert rectified_norm_mean(count) == pytest.approx(integral_norm(count), rel=1e-8)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 5.0])
def test_rectified_mean_by_integration(sigma: float) -> None:
    mean, _ = integrate.quad(lambda x: x * stats.norm.pdf(x, scale=sigma), 0, math.inf)
    assert rectified_mean(sigma) == pytest.approx(mean, rel=1e-8)


@pytest.mark.parametrize("mu", [-0.7, 0.0, 1.3])
def test_lemma_9_at_any_mean(mu: float) -> None:
    """The paper's Lemma 9; at mean 0 it is `rectified_mean`."""
    tau = 0.8
    mean, _ = integrate.quad(lambda x: x * stats.norm.pdf(x, mu, tau), 0, math.inf)
    lemma = mu * stats.norm.cdf(mu / tau) + tau * stats.norm.pdf(-mu / tau)
    assert lemma == pytest.approx(mean, rel=1e-8)
    assert (lemma == pytest.approx(rectified_mean(tau))) == (mu == 0)


def test_eq_8_needs_tau_squared_and_patches_of_k() -> None:
    """The covariance of two cells' responses to one filter, simulated, against Eq. 8 corrected and as printed."""
    random, tau, k = np.random.default_rng(0), 2.0, 2
    image = random.random((5, 5))
    filters = random.normal(scale=tau, size=(200_000, k, k))
    first, second = (image[i : i + k, j : j + k] for i, j in ((0, 1), (1, 1)))
    responses = (filters * first).sum((1, 2)), (filters * second).sum((1, 2))
    products = responses[0] * responses[1]
    error = products.std() / math.sqrt(len(products))
    covariance, without_tau = tau**2 * (first * second).sum(), (first * second).sum()
    one_more = tau**2 * (image[0 : k + 1, 1 : k + 2] * image[1 : k + 2, 1 : k + 2]).sum()
    assert abs(products.mean() - covariance) < 4 * error
    assert min(abs(products.mean() - wrong) for wrong in (without_tau, one_more)) > 20 * error
    # Lemma 10: the variance of one response
    assert responses[0].std() == pytest.approx(tau * np.linalg.norm(first), rel=0.01)


def test_rectified_square_by_integration() -> None:
    mean, _ = integrate.quad(lambda x: x**2 * stats.norm.pdf(x), 0, math.inf)
    fourth, _ = integrate.quad(lambda x: x**4 * stats.norm.pdf(x), 0, math.inf)
    assert pytest.approx(mean) == SQUARE_MEAN
    assert pytest.approx(fourth - mean**2) == SQUARE_VARIANCE


@pytest.mark.parametrize("correlation", [-1.0, -0.6, 0.0, 0.3, 0.99, 1.0])
def test_signs_are_free(correlation: float) -> None:
    """Moments of 1[a > 0] (r a + sqrt(1 - r²) b)² in polar coordinates: those of ReLU(g)², (2p - 1)!!/2."""
    offset = math.acos(correlation)
    for power in (1, 2, 3, 4):
        angle, _ = integrate.quad(lambda t, p=power: math.cos(t - offset) ** (2 * p), -math.pi / 2, math.pi / 2)
        radius = 2**power * math.factorial(power)  # E r^(2p) of a Rayleigh variable
        double_factorial = math.prod(range(2 * power - 1, 0, -2))
        assert radius * angle / (2 * math.pi) == pytest.approx(double_factorial / 2, rel=1e-10)


def test_signs_are_free_in_a_layer() -> None:
    """The whole law, simulated: |diag(W z > 0) W u| and the norm of a rectified Gaussian vector."""
    random = np.random.default_rng(0)
    z, u = random.normal(size=(2, 7))
    weights = random.normal(size=(20_000, 5, 7))
    gated = np.linalg.norm((weights @ z > 0) * (weights @ u), axis=1) / np.linalg.norm(u)
    rectified = np.linalg.norm(np.maximum(random.normal(size=(20_000, 5)), 0), axis=1)
    assert stats.ks_2samp(gated, rectified).pvalue > 0.001
    ungated = np.linalg.norm(weights @ u, axis=1) / np.linalg.norm(u)
    assert stats.ks_2samp(ungated, rectified).pvalue < 1e-6  # the test would notice


def test_lower_bounds_are_below() -> None:
    for count in range(1, 500):
        exact = rectified_norm_mean(count)
        moments, chebyshev = (rectified_norm_lower_bound(count, name) for name in ("moments", "chebyshev"))
        assert 0 <= chebyshev < moments < exact < math.sqrt(count / 2)
        assert (chebyshev == 0) == (count <= CHEBYSHEV_THRESHOLD)
    # to first order in 1/n, m_n is sqrt(n/2) (1 - 5/8n), and the bound sqrt(n/2) (1 - 5/2n)
    assert rectified_norm_lower_bound(499) / rectified_norm_mean(499) == pytest.approx(1 - 15 / 8 / 499, abs=1e-4)
    with pytest.raises(InputError, match="Expected `inequality` to be one of moments, chebyshev"):
        rectified_norm_lower_bound(3, "markov")  # type: ignore[arg-type]


def test_moment_bound_is_hoelders_from_the_two_moments() -> None:
    for count in (1, 5, 40):
        mean, square = count * SQUARE_MEAN, count * SQUARE_VARIANCE + (count * SQUARE_MEAN) ** 2
        assert rectified_norm_lower_bound(count) == pytest.approx(mean**1.5 / square**0.5, rel=1e-14)


def test_chebyshevs_bound_is_truncation_at_a_quarter() -> None:
    for count in (21, 40, 256):
        outside = count * SQUARE_VARIANCE / (count * SQUARE_MEAN - count / 4) ** 2
        assert rectified_norm_lower_bound(count, "chebyshev") == pytest.approx((1 - outside) * math.sqrt(count / 4))


def test_dead_draws_contribute_little() -> None:
    """The worst case: filters that respond to no seen patch respond to x fully; then E = 2^-n · E chi_n."""
    for count in range(1, 40):
        worst = stats.chi.mean(count) / 2**count
        assert 0.79 * dead_draw_norm(count) < worst <= dead_draw_norm(count)
