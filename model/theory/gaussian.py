"""Rectified Gaussians: the few facts that the expected GradCAM map rests on.

Throughout, g, g_1, … are independent standard Gaussians, and S_n = ReLU(g_1)² + … + ReLU(g_n)².

    Rectified mean      E ReLU(s g) = s / sqrt(2 pi).
    Rectified square    E ReLU(g)² = 1/2, E ReLU(g)⁴ = 3/2; so E S_n = n/2 and Var S_n = 5 n/4.
    Rectified norm      m_n = E sqrt(S_n): the number of positive g is binomial(n, 1/2), and the norm of m standard
                        Gaussians is a chi variable of mean sqrt(2) Gamma((m+1)/2) / Gamma(m/2).
    Signs are free      For any two vectors z ≠ 0 and u, and a vector w of independent N(0, t²), the variable
                        1[w·z > 0] (w·u)² has the law of t² |u|² ReLU(g)². For (w·u)² is the same for w and -w, and
                        one of the two signs satisfies w·z > 0: the indicator is a fair coin, independent of (w·u)².

Two lower bounds of m_n:

    moments             By Hölder's inequality E S <= (E sqrt(S))^(2/3) (E S²)^(1/3), so
                        m_n >= (E S)^(3/2) / (E S²)^(1/2) = n / sqrt(2 (n + 5)). Of order sqrt(n/2), as m_n is.
    chebyshev           P(S < n/4) <= Var S / (n/4)² = 20/n, so m_n >= (1 - 20/n) sqrt(n)/2. Says nothing for n <= 20.

Source: derived here. The paper's theorem asks for V > 20 filters, the range of the second bound; whether its constants
are the same could not be checked.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

from stackwalls.model.errors import InputError

Inequality = Literal["moments", "chebyshev"]

INEQUALITIES: tuple[Inequality, ...] = get_args(Inequality)

SQUARE_MEAN = 1 / 2
"""E ReLU(g)²."""

SQUARE_VARIANCE = 5 / 4
"""Var ReLU(g)² = 3/2 - 1/4."""

CHEBYSHEV_THRESHOLD = 20
"""The largest number of filters for which the bound by Chebyshev's inequality is 0: Var S_n / (n/4)² = 20/n."""


def rectified_mean(sigma: float) -> float:
    """E ReLU(X) for X of law N(0, sigma²)."""
    return sigma / math.sqrt(2 * math.pi)


def rectified_norm_mean(count: int) -> float:
    """m_n: the expected Euclidean norm of `count` independent standard Gaussians after ReLU.

    Exact up to rounding. About sqrt(count / 2) for large `count`.
    """
    total = 0.0
    for positive in range(1, count + 1):
        log_binomial = math.lgamma(count + 1) - math.lgamma(positive + 1) - math.lgamma(count - positive + 1)
        log_chi = math.lgamma((positive + 1) / 2) - math.lgamma(positive / 2)
        total += math.exp(log_binomial - count * math.log(2) + log_chi)
    return math.sqrt(2) * total


def rectified_norm_lower_bound(count: int, inequality: Inequality = "moments") -> float:
    """A lower bound of m_n in elementary functions, at least 0: "moments" or "chebyshev" (see above).

    Raises:
        InputError: if `inequality` is another.
    """
    if inequality == "moments":
        return count / math.sqrt(2 * (count + 5))
    if inequality == "chebyshev":
        return max(0.0, 1 - CHEBYSHEV_THRESHOLD / count) * math.sqrt(count) / 2
    raise InputError(f"Expected `inequality` to be one of {', '.join(INEQUALITIES)}, but got {inequality!r}.")


def dead_draw_norm(count: int) -> float:
    """What networks without any positive seen activation contribute at most to m_n: sqrt(n) / 2^n.

    With several dense layers such a network has gradient 0 (its hidden layers are all 0), so that its share is missing
    from the expected map. Let D be the event, q <= 1/2 the chance that one filter responds to no seen patch, and b_v
    the responses to a patch x of norm 1. By Cauchy and Schwarz,
    E[|b| 1_D] <= sqrt(E[|b|² 1_D] P(D)) <= sqrt(n/2 · q^(n-1) · q^n) <= sqrt(n) / 2^n.
    """
    return math.sqrt(count) * 2.0**-count
