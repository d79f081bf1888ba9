/* Algorithms 1-3 of the paper for objectives with a separable affine gradient, g_i = curvature_i (theta_i - center_i).
 *
 * What lives here: the time loops, nothing else.  The same arithmetic, operation by operation, stands in discrete.py as
 * a Python loop; all agree bit for bit, so every reordering here is a change of results.
 * Arrays are row-major with one row per iterate; row 0 holds the state after the first `done` iterations and is filled
 * by the caller.
 */
#include <math.h>
#include <stdint.h>

/* Vectors twice as wide where the machine has them.  avx2 brings no fused multiply-add: the bits are the same. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define WIDEST __attribute__((target_clones("avx2", "default")))
#else
#define WIDEST
#endif
#define INLINE static inline __attribute__((always_inline))

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

/* 1 - beta^k, k = 1 ... count.  pow, not a running product: its error does not grow with k. */
void masses(double beta, int64_t count, double *mass)
{
    for (int64_t k = 1; k <= count; ++k) mass[k - 1] = 1.0 - pow(beta, (double)k);
}

INLINE double gradient(double curvature, double center, double coupled, double theta)
{
    const double g = curvature * (theta - center);
    return coupled != 0.0 ? g + coupled * theta : g;
}

/* One run of n coordinates.  Returns the first row that is not finite, or -1.  The step body is inlined per
 * specialisation: the branches below depend on constants of the call and leave the loop. */
INLINE int64_t
run(int64_t done, int64_t steps, int64_t n, double alpha, const double *factors, const rule *r, int summing, int correction,
    int norm, int momentum, const double *curvature, const double *center, double *theta, double *first, double *second)
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
            /* Once beta^k is below half an ulp of 1 the mass is exactly 1 and stays there. */
            if (k == 1 || mass1 != 1.0) mass1 = 1.0 - pow(beta1, (double)(done + k));
            if (k == 1 || mass2 != 1.0) mass2 = 1.0 - pow(beta2, (double)(done + k));
        }
        if (norm) {
            for (int64_t i = 0; i < n; ++i) {
                const double g = gradient(curvature[i], center[i], coupled, old[i]);
                squares += g * g;
            }
            v[0] = summing ? v_old[0] + squares : beta2 * v_old[0] + gain2 * squares;
        }
        for (int64_t i = 0; i < n; ++i) {
            const double g = gradient(curvature[i], center[i], coupled, old[i]);
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
int64_t simulate(int64_t done, int64_t steps, int64_t n, double alpha, const double *factors, const rule *r,
                 const double *curvature, const double *center, double *theta, double *first, double *second)
{
#define RUN(summing, correction, norm, momentum) \
    run(done, steps, n, alpha, factors, r, summing, correction, norm, momentum, curvature, center, theta, first, second)
    if (r->bias_correction) return r->norm ? RUN(0, 1, 1, 1) : RUN(0, 1, 0, 1);
    if (r->summing) return r->norm ? RUN(1, 0, 1, 0) : RUN(1, 0, 0, 0);
    return r->norm ? RUN(0, 0, 1, 0) : RUN(0, 0, 0, 0);
#undef RUN
}

/* One coordinate of one run.  Lanes that go in lockstep hide the latency of root and quotient from each other. */
typedef struct {
    rule rule;
    double alpha, curvature, center;
    const double *factors;       /* what alpha is multiplied by in rows 1, 2, ..., or NULL */
    const double *mass1, *mass2; /* 1 - beta^k of iterations 1 ... known; beyond them it is exactly 1 */
    int64_t known1, known2;
    double *theta, *first, *second;
    int64_t stride; /* numbers from one row to the next */
} lane;

/* WIDTH keeps root and quotient busy.  TILE rows of all lanes are made before any goes to its array: as these tend to
 * begin at the same place of a page, going to and fro between them would drive them out of the first cache. */
enum { WIDTH = 16, TILE = 16 };
enum correction { NONE, SECOND, BOTH };
#define EACH for (int l = 0; l < width; ++l)

/* Rows from + 1 ... to of lanes 0 ... width - 1; width and the switches are constants of the call.
 * No look at whether numbers are finite: what is not stays so, and the caller looks at the last row. */
INLINE void advance(int width, int64_t done, int64_t from, int64_t to, const lane *const *lanes, int summing, int momentum,
                    enum correction correction, int coupling, int scheduled)
{
    double beta1[WIDTH], beta2[WIDTH], gain1[WIDTH], gain2[WIDTH], eps[WIDTH], coupled[WIDTH], decoupled[WIDTH];
    double alpha[WIDTH], rate[WIDTH], shrink[WIDTH], curvature[WIDTH], center[WIDTH], x[WIDTH], m[WIDTH], v[WIDTH];
    double mass1[TILE * WIDTH], mass2[TILE * WIDTH], factor[TILE * WIDTH];
    double theta[TILE * WIDTH], first[TILE * WIDTH], second[TILE * WIDTH];

    EACH {
        const lane *t = lanes[l];
        const int64_t at = from * t->stride;
        beta1[l] = t->rule.beta1, gain1[l] = 1.0 - beta1[l];
        beta2[l] = t->rule.beta2, gain2[l] = 1.0 - beta2[l];
        eps[l] = t->rule.eps, coupled[l] = t->rule.coupled_decay, decoupled[l] = t->rule.decoupled_decay;
        alpha[l] = rate[l] = t->alpha, shrink[l] = 1.0 - rate[l] * decoupled[l];
        curvature[l] = t->curvature, center[l] = t->center;
        x[l] = t->theta[at], v[l] = t->second[at], m[l] = momentum ? t->first[at] : 0.0;
    }
    for (int64_t tile = from; tile < to; tile += TILE) {
        const int rows = to - tile < TILE ? (int)(to - tile) : TILE;

        EACH {
            const lane *t = lanes[l];
            const int64_t k = done + tile;
            for (int row = 0; row < rows; ++row) {
                const int at = row * width + l;
                if (correction == BOTH) mass1[at] = k + row < t->known1 ? t->mass1[k + row] : 1.0;
                if (correction != NONE) mass2[at] = k + row < t->known2 ? t->mass2[k + row] : 1.0;
                if (scheduled) factor[at] = t->factors ? t->factors[tile + row] : 1.0;
            }
        }
        for (int row = 0; row < rows; ++row) {
            EACH {
                const int at = row * width + l;
                double g = curvature[l] * (x[l] - center[l]), direction, scale;
                if (coupling) g = g + coupled[l] * x[l];
                if (scheduled) rate[l] = alpha[l] * factor[at], shrink[l] = 1.0 - rate[l] * decoupled[l];
                v[l] = summing ? v[l] + g * g : beta2[l] * v[l] + gain2[l] * (g * g);
                if (momentum) m[l] = beta1[l] * m[l] + gain1[l] * g;
                direction = momentum ? m[l] : g, scale = v[l];
                if (correction == BOTH) direction = direction / mass1[at];
                if (correction != NONE) scale = scale / mass2[at];
                x[l] = shrink[l] * x[l] - rate[l] * direction / (sqrt(scale) + eps[l]);
            }
            EACH {
                const int64_t at = width > 1 ? row * width + l : (tile + row + 1) * lanes[0]->stride;
                (width > 1 ? theta : lanes[0]->theta)[at] = x[l];
                (width > 1 ? second : lanes[0]->second)[at] = v[l];
                if (momentum) (width > 1 ? first : lanes[0]->first)[at] = m[l];
            }
        }
        if (width > 1) EACH {
            const lane *t = lanes[l];
            const int64_t at = (tile + 1) * t->stride;
            for (int row = 0; row < rows; ++row) t->theta[at + row * t->stride] = theta[row * width + l];
            for (int row = 0; row < rows; ++row) t->second[at + row * t->stride] = second[row * width + l];
            if (!momentum) continue;
            for (int row = 0; row < rows; ++row) t->first[at + row * t->stride] = first[row * width + l];
        }
    }
}

/* Dividing by a mass of exactly 1 changes no bit: it is left out as soon as all are, for the first moments and for
 * both. */
INLINE void group(int width, int64_t done, int64_t from, int64_t to, const lane *const *lanes)
{
    int64_t both = from, corrected = from;
    int scheduled = 0, coupling = 0;

    EACH {
        const lane *t = lanes[l];
        const int64_t until1 = t->known1 - done, until2 = t->known2 - done;
        if (until1 > both) both = until1 < to ? until1 : to;
        if (until2 > corrected) corrected = until2 < to ? until2 : to;
        scheduled |= t->factors != 0;
        coupling |= t->rule.coupled_decay != 0.0;
    }
    if (corrected < both) corrected = both;
#define ADVANCE(start, end, summing, momentum, correction)                                                 \
    do {                                                                                                   \
        if (scheduled || coupling) /* one loop for both: each of these takes seconds to compile */         \
            advance(width, done, start, end, lanes, summing, momentum, correction, 1, 1);                  \
        else                                                                                               \
            advance(width, done, start, end, lanes, summing, momentum, correction, 0, 0);                  \
    } while (0)
    if (lanes[0]->rule.bias_correction) {
        ADVANCE(from, both, 0, 1, BOTH);
        ADVANCE(both, corrected, 0, 1, SECOND);
        ADVANCE(corrected, to, 0, 1, NONE);
    } else if (lanes[0]->rule.summing) {
        ADVANCE(from, to, 1, 0, NONE);
    } else {
        ADVANCE(from, to, 0, 0, NONE);
    }
#undef ADVANCE
}

static void single(int64_t done, int64_t from, int64_t to, const lane *const *lanes) { group(1, done, from, to, lanes); }

WIDEST static void wide(int64_t done, int64_t from, int64_t to, const lane *const *lanes)
{
    group(WIDTH, done, from, to, lanes);
}

/* Rows from + 1 ... to of any number of lanes, all with one summing and one bias_correction. */
void lockstep(int64_t done, int64_t from, int64_t to, int64_t count, const lane *lanes)
{
    for (int64_t at = 0; at < count; at += WIDTH) {
        const lane *chosen[WIDTH];
        /* A group that is not full repeats its last lane, which writes the same numbers again. */
        for (int l = 0; l < WIDTH; ++l) chosen[l] = lanes + (at + l < count ? at + l : count - 1);
        if (count - at == 1)
            single(done, from, to, chosen);
        else
            wide(done, from, to, chosen);
    }
}
