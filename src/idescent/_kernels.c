/* Algorithms 1-3 of the paper for objectives with a separable affine gradient, g_i = curvature_i (theta_i - center_i).
 *
 * What lives here: the time loop, nothing else.  The same arithmetic, operation by operation, stands in discrete.py as
 * a Python loop; the two agree bit for bit, so every reordering here is a change of results.
 * Arrays are row-major with one row per iterate; row 0 holds the initial state and is filled by the caller.
 */
#include <math.h>
#include <stdint.h>

/* Lets the loader refuse a library that was compiled from another version of this file. */
const char *source_digest(void) { return SOURCE_DIGEST; }

typedef struct {
    double beta1;           /* decay of the first moment; 0 leaves the gradient itself */
    double beta2;           /* decay of the second moment; ignored when summing */
    double eps;             /* outside the root */
    double decoupled_decay; /* AdamW: theta <- (1 - alpha w) theta - ... */
    double coupled_decay;   /* AdamL2: g <- g + w theta */
    int32_t summing;        /* AdaGrad: accumulate instead of averaging */
    int32_t bias_correction;
    int32_t norm;           /* one accumulator, sum of squares over the coordinates */
} rule;

/* Returns the first iteration whose state is not finite, or -1.  The step body is inlined per specialisation:
 * the branches below depend on constants of the call and leave the loop. */
static inline __attribute__((always_inline)) int64_t
run(int64_t steps, int64_t n, double alpha, const double *factors, const rule *r, int summing, int correction, int norm, int momentum,
    const double *curvature, const double *center, double *theta, double *first, double *second)
{
    const double beta1 = r->beta1, beta2 = r->beta2, gain1 = 1.0 - beta1, gain2 = 1.0 - beta2, eps = r->eps;
    const double coupled = r->coupled_decay;
    double rate = alpha, shrink = 1.0 - alpha * r->decoupled_decay;
    const int64_t width = norm ? 1 : n;
    double mass1 = 1.0, mass2 = 1.0;

    for (int64_t k = 1; k <= steps; ++k) {
        const double *old = theta + (k - 1) * n, *m_old = first + (k - 1) * n, *v_old = second + (k - 1) * width;
        double *new = theta + k * n, *m = first + k * n, *v = second + k * width;
        double squares = 0.0;
        int finite = 1;

        if (factors) {
            rate = alpha * factors[k - 1];
            shrink = 1.0 - rate * r->decoupled_decay;
        }
        if (correction) {
            /* pow, not a running product: its error does not grow with k.  Once beta^k is below half an ulp of 1
             * the mass is exactly 1 and stays there. */
            if (k == 1 || mass1 != 1.0) mass1 = 1.0 - pow(beta1, (double)k);
            if (k == 1 || mass2 != 1.0) mass2 = 1.0 - pow(beta2, (double)k);
        }
        if (norm) {
            for (int64_t i = 0; i < n; ++i) {
                const double g = curvature[i] * (old[i] - center[i]) + coupled * old[i];
                squares += g * g;
            }
            v[0] = summing ? v_old[0] + squares : beta2 * v_old[0] + gain2 * squares;
        }
        for (int64_t i = 0; i < n; ++i) {
            const double g = curvature[i] * (old[i] - center[i]) + coupled * old[i];
            double direction = g, scale;
            if (!norm) v[i] = summing ? v_old[i] + g * g : beta2 * v_old[i] + gain2 * (g * g);
            if (momentum) {
                m[i] = beta1 * m_old[i] + gain1 * g;
                direction = m[i];
            }
            scale = v[norm ? 0 : i];
            if (correction) {
                direction = direction / mass1;
                scale = scale / mass2;
            }
            new[i] = shrink * old[i] - rate * direction / (sqrt(scale) + eps);
            /* Infinite v (g * g overflows) leaves theta where it is, finite: it must be asked as well. */
            finite &= (isfinite(new[i]) != 0) & (isfinite(v[norm ? 0 : i]) != 0);
        }
        if (!finite) return k;
    }
    return -1;
}

/* factors: what alpha is multiplied by in each iteration, or NULL. */
int64_t simulate(int64_t steps, int64_t n, double alpha, const double *factors, const rule *r, const double *curvature,
                 const double *center, double *theta, double *first, double *second)
{
#define RUN(summing, correction, norm, momentum) \
    run(steps, n, alpha, factors, r, summing, correction, norm, momentum, curvature, center, theta, first, second)
    /* In one dimension the two accumulators are the same number; n = 1 is passed as a constant so that the
     * coordinate loop disappears. */
    if (n == 1) {
        n = 1;
        if (r->bias_correction) return RUN(0, 1, 0, 1);
        if (r->summing) return RUN(1, 0, 0, 0);
        return RUN(0, 0, 0, 0);
    }
    if (r->bias_correction) return r->norm ? RUN(0, 1, 1, 1) : RUN(0, 1, 0, 1);
    if (r->summing) return r->norm ? RUN(1, 0, 1, 0) : RUN(1, 0, 0, 0);
    return r->norm ? RUN(0, 0, 1, 0) : RUN(0, 0, 0, 0);
#undef RUN
}
