/* Algorithms 1-3 of the paper for objectives with a separable affine gradient, g_i = curvature_i (theta_i - center_i).
 *
 * What lives here: the time loops, nothing else.  The same arithmetic, operation by operation, stands in discrete.py as
 * a Python loop; all agree bit for bit, so every reordering here is a change of results.
 * Nothing but + - * / and square roots, which IEEE 754 rounds alike everywhere: the bits depend on no library and no machine.
 * Arrays are row-major with one row per iterate; row 0 holds the state after the first `done` iterations and is filled
 * by the caller.
 */
#include <math.h>
#include <stdint.h>

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

/* Multiply a double-double by another one (Dekker, Veltkamp). */
INLINE void multiply(double *high, double *low, double factor, double factor_low)
{
    const double splitter = 134217729.0 /* 2^27 + 1 */, a = *high, b = factor, product = a * b;
    const double a_far = splitter * a, a_high = a_far - (a_far - a), a_low = a - a_high;
    const double b_far = splitter * b, b_high = b_far - (b_far - b), b_low = b - b_high;
    const double error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    const double rest = error + (a * factor_low + *low * b);
    *high = product + rest, *low = rest - (*high - product);
}

/* 1 / (1 - beta^k), k = 1 ... count.  corrections.py has the same in Python, and says why it is no power of the C library. */
void corrections(double beta, int64_t count, double *factor)
{
    enum { STRANDS = 8 };
    double high[STRANDS] = {beta}, low[STRANDS] = {0.0};

    for (int j = 1; j < STRANDS; ++j) {
        high[j] = high[j - 1], low[j] = low[j - 1];
        multiply(high + j, low + j, beta, 0.0);
    }
    const double stride = high[STRANDS - 1], stride_low = low[STRANDS - 1];
    int64_t k = 0;
    for (; k + STRANDS <= count; k += STRANDS) {
        for (int j = 0; j < STRANDS; ++j) factor[k + j] = 1.0 / (1.0 - high[j]);
        for (int j = 0; j < STRANDS; ++j) multiply(high + j, low + j, stride, stride_low);
    }
    for (int j = 0; k < count; ++k, ++j) factor[k] = 1.0 / (1.0 - high[j]);
}

/* What the moments of iterations 1, 2 ... are multiplied by, beyond `known` it is exactly 1. */
typedef struct {
    int64_t known;
    const double *factor;
} correction;

INLINE double factor_of(const correction *c, int64_t k) { return k <= c->known ? c->factor[k - 1] : 1.0; }

INLINE double gradient(double curvature, double center, double coupled, double theta)
{
    const double g = curvature * (theta - center);
    return coupled != 0.0 ? g + coupled * theta : g;
}

/* One run of n coordinates.  Returns the first row that is not finite, or -1.  The step body is inlined per
 * specialisation: the branches below depend on constants of the call and leave the loop. */
INLINE int64_t
run(int64_t done, int64_t steps, int64_t n, double alpha, const double *factors, const rule *r, const correction *by1,
    const correction *by2, int summing, int norm, int momentum, const double *curvature, const double *center,
    double *theta, double *first, double *second)
{
    const double beta1 = r->beta1, beta2 = r->beta2, gain1 = 1.0 - beta1, gain2 = 1.0 - beta2, eps = r->eps;
    const double coupled = r->coupled_decay;
    double rate = alpha, shrink = 1.0 - alpha * r->decoupled_decay;
    const int64_t width = norm ? 1 : n;
    double factor1 = 1.0, factor2 = 1.0;

    for (int64_t k = 1; k <= steps; ++k) {
        const double *old = theta + (k - 1) * n, *m_old = first + (k - 1) * n, *v_old = second + (k - 1) * width;
        double *new = theta + k * n, *m = first + k * n, *v = second + k * width;
        double squares = 0.0;
        int finite = 1;

        if (factors) {
            rate = alpha * factors[k - 1];
            shrink = 1.0 - rate * r->decoupled_decay;
        }
        if (momentum) factor1 = factor_of(by1, done + k), factor2 = factor_of(by2, done + k);
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
                direction = factor1 * m[i];
            }
            scale = v[norm ? 0 : i];
            if (momentum) scale = factor2 * scale;
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
                 const correction *by1, const correction *by2, const double *curvature, const double *center, double *theta,
                 double *first, double *second)
{
#define RUN(summing, norm, momentum)                                                                              \
    run(done, steps, n, alpha, factors, r, by1, by2, summing, norm, momentum, curvature, center, theta, first, second)
    if (r->bias_correction) return r->norm ? RUN(0, 1, 1) : RUN(0, 0, 1);
    if (r->summing) return r->norm ? RUN(1, 1, 0) : RUN(1, 0, 0);
    return r->norm ? RUN(0, 1, 0) : RUN(0, 0, 0);
#undef RUN
}

/* One coordinate of one run. */
typedef struct {
    rule rule;
    double alpha, curvature, center;
    const double *factors; /* what alpha is multiplied by in rows 1, 2, ..., or NULL */
    correction by1, by2;
    double *theta, *first, *second;
    int64_t stride; /* numbers from one row to the next */
} lane;

/* Rows from + 1 ... to of one lane.  No look at whether numbers are finite: what is not stays so, and the caller looks at
 * the last row. */
INLINE void alone(int64_t done, int64_t from, int64_t to, const lane *t, int summing, int momentum)
{
    const double beta1 = t->rule.beta1, beta2 = t->rule.beta2, gain1 = 1.0 - beta1, gain2 = 1.0 - beta2, eps = t->rule.eps;
    const double curvature = t->curvature, center = t->center, coupled = t->rule.coupled_decay;
    const int64_t stride = t->stride;
    double rate = t->alpha, shrink = 1.0 - rate * t->rule.decoupled_decay;
    double x = t->theta[from * stride], v = t->second[from * stride], m = momentum ? t->first[from * stride] : 0.0;

    for (int64_t row = from + 1; row <= to; ++row) {
        const double g = gradient(curvature, center, coupled, x);
        double direction = g, scale;
        if (t->factors) rate = t->alpha * t->factors[row - 1], shrink = 1.0 - rate * t->rule.decoupled_decay;
        v = summing ? v + g * g : beta2 * v + gain2 * (g * g);
        scale = v;
        if (momentum) {
            m = beta1 * m + gain1 * g;
            direction = factor_of(&t->by1, done + row) * m;
            scale = factor_of(&t->by2, done + row) * v;
        }
        x = shrink * x - rate * direction / (sqrt(scale) + eps);
        t->theta[row * stride] = x;
        t->second[row * stride] = v;
        if (momentum) t->first[row * stride] = m;
    }
}

static void single(int64_t done, int64_t from, int64_t to, const lane *t)
{
    if (t->rule.bias_correction)
        alone(done, from, to, t, 0, 1);
    else if (t->rule.summing)
        alone(done, from, to, t, 1, 0);
    else
        alone(done, from, to, t, 0, 0);
}

#ifndef __GNUC__

void lockstep(int64_t done, int64_t from, int64_t to, int64_t count, const lane *lanes)
{
    for (int64_t l = 0; l < count; ++l) single(done, from, to, lanes + l);
}

#else

/* Lanes that go in lockstep hide the latency of root and quotient from each other: WIDTH keeps both busy.  A tile of rows is
 * made beside the lanes' arrays, to which it goes while the next one is made: stores hide behind roots as well. */
enum { QUADS = 4, WIDTH = 4 * QUADS, TILE = 16, AHEAD = 2 * TILE, LINE = 8 };
typedef double quad __attribute__((vector_size(32)));
typedef int64_t order __attribute__((vector_size(32)));
typedef double unaligned_quad __attribute__((vector_size(32), aligned(8), may_alias));
typedef struct {
    quad theta[TILE][QUADS], first[TILE][QUADS], second[TILE][QUADS];
} rows;
typedef struct {
    double *theta[WIDTH], *first[WIDTH], *second[WIDTH];
    int64_t stride[WIDTH];
} arrays;
/* Unrolled, so that states stay in registers. */
#define EACH _Pragma("GCC unroll 4") for (int q = 0; q < QUADS; ++q)

INLINE quad splat(double x) { return (quad){x, x, x, x}; }

INLINE quad root(quad x) { return (quad){sqrt(x[0]), sqrt(x[1]), sqrt(x[2]), sqrt(x[3])}; }

#ifdef __clang__
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (order){i, j, k, l})
#endif
/* Four rows of four lanes become four numbers of each lane. */
INLINE void turn(const quad (*row)[QUADS], double *const *to, int64_t at)
{
    const quad a = row[0][0], b = row[1][0], c = row[2][0], d = row[3][0];
    const quad ab02 = SHUFFLE(a, b, 0, 4, 2, 6), ab13 = SHUFFLE(a, b, 1, 5, 3, 7);
    const quad cd02 = SHUFFLE(c, d, 0, 4, 2, 6), cd13 = SHUFFLE(c, d, 1, 5, 3, 7);
    *(unaligned_quad *)(to[0] + at) = SHUFFLE(ab02, cd02, 0, 1, 4, 5);
    *(unaligned_quad *)(to[1] + at) = SHUFFLE(ab13, cd13, 0, 1, 4, 5);
    *(unaligned_quad *)(to[2] + at) = SHUFFLE(ab02, cd02, 2, 3, 6, 7);
    *(unaligned_quad *)(to[3] + at) = SHUFFLE(ab13, cd13, 2, 3, 6, 7);
}
#undef SHUFFLE

/* One of TILE equal parts of a full tile goes to arrays of stride 1, in which the tile begins at row `at`. */
INLINE void deliver_part(const rows *tile, const arrays *to, int64_t at, int part, int momentum)
{
    const int lanes = part / (TILE / 4) * 4, row = part % (TILE / 4) * 4, q = lanes / 4;
    turn((const quad(*)[QUADS]) & tile->theta[row][q], to->theta + lanes, at + row);
    turn((const quad(*)[QUADS]) & tile->second[row][q], to->second + lanes, at + row);
    if (momentum) turn((const quad(*)[QUADS]) & tile->first[row][q], to->first + lanes, at + row);
}

/* Ask for the cache lines, of LINE numbers, of TILE rows of one lane: so many arrays are more than processors foresee, and
 * memory that nobody has used for a while takes longer than a step. */
INLINE void fetch(const arrays *to, int l, int64_t at, int momentum)
{
    for (int line = 0; line < TILE; line += LINE) {
        __builtin_prefetch(to->theta[l] + at + line, 1);
        __builtin_prefetch(to->second[l] + at + line, 1);
        if (momentum) __builtin_prefetch(to->first[l] + at + line, 1);
    }
}

INLINE void deliver(const rows *tile, const arrays *to, int64_t at, int count, int momentum)
{
    for (int l = 0; l < WIDTH; ++l)
        for (int row = 0; row < count; ++row) {
            const int64_t place = (at + row) * to->stride[l];
            to->theta[l][place] = tile->theta[row][l / 4][l % 4];
            to->second[l][place] = tile->second[row][l / 4][l % 4];
            if (momentum) to->first[l][place] = tile->first[row][l / 4][l % 4];
        }
}

/* Rows from + 1 ... to of WIDTH lanes.  `alike`: all have the same corrections, constant rates, and no decay but AdamW's.
 * The switches are constants of the call. */
INLINE void advance(int64_t done, int64_t from, int64_t to, const lane *const *lanes, int summing, int momentum, int alike)
{
    const correction *by1 = &lanes[0]->by1, *by2 = &lanes[0]->by2;
    quad beta1[QUADS], beta2[QUADS], gain1[QUADS], gain2[QUADS], eps[QUADS], coupled[QUADS], decoupled[QUADS];
    quad alpha[QUADS], rate[QUADS], shrink[QUADS], curvature[QUADS], center[QUADS], x[QUADS], m[QUADS], v[QUADS];
    rows tiles[2], *made = tiles, *before = tiles + 1;
    arrays target;
    int dense = 1, waiting = 0;

    for (int l = 0; l < WIDTH; ++l) {
        const lane *t = lanes[l];
        const int64_t at = from * t->stride;
        const int q = l / 4, i = l % 4;
        beta1[q][i] = t->rule.beta1, gain1[q][i] = 1.0 - t->rule.beta1;
        beta2[q][i] = t->rule.beta2, gain2[q][i] = 1.0 - t->rule.beta2;
        eps[q][i] = t->rule.eps, coupled[q][i] = t->rule.coupled_decay, decoupled[q][i] = t->rule.decoupled_decay;
        alpha[q][i] = t->alpha, curvature[q][i] = t->curvature, center[q][i] = t->center;
        x[q][i] = t->theta[at], v[q][i] = t->second[at], m[q][i] = momentum ? t->first[at] : 0.0;
        target.theta[l] = t->theta, target.first[l] = t->first, target.second[l] = t->second;
        target.stride[l] = t->stride, dense &= t->stride == 1;
    }
    EACH rate[q] = alpha[q], shrink[q] = 1.0 - rate[q] * decoupled[q];
    for (int64_t tile = from, next; tile < to; tile = next) {
        /* The first is short, all others begin at a row whose number LINE divides: where arrays begin at a cache line, so do
         * what is stored and what is asked for. */
        next = (tile + 1 + TILE) / LINE * LINE - 1;
        if (next > to) next = to;
        const int count = (int)(next - tile);
        const int foreseen = dense && tile + AHEAD + TILE <= to;
        quad factor1[TILE][QUADS], factor2[TILE][QUADS], factor[TILE][QUADS];

        for (int l = 0; l < WIDTH && !alike; ++l)
            for (int row = 0; row < count; ++row) {
                const int64_t k = done + tile + row + 1;
                const int q = l / 4, i = l % 4;
                if (momentum) factor1[row][q][i] = factor_of(&lanes[l]->by1, k);
                if (momentum) factor2[row][q][i] = factor_of(&lanes[l]->by2, k);
                factor[row][q][i] = lanes[l]->factors ? lanes[l]->factors[tile + row] : 1.0;
            }
        for (int row = 0; row < TILE; ++row) {
            if (row < count) {
                const int64_t k = done + tile + row + 1;
                const quad all1 = splat(alike && momentum ? factor_of(by1, k) : 1.0);
                const quad all2 = splat(alike && momentum ? factor_of(by2, k) : 1.0);
                EACH {
                    quad g = curvature[q] * (x[q] - center[q]), direction, scale;
                    if (!alike) {
                        g = g + coupled[q] * x[q];
                        rate[q] = alpha[q] * factor[row][q], shrink[q] = 1.0 - rate[q] * decoupled[q];
                    }
                    v[q] = summing ? v[q] + g * g : beta2[q] * v[q] + gain2[q] * (g * g);
                    direction = g, scale = v[q];
                    if (momentum) {
                        m[q] = beta1[q] * m[q] + gain1[q] * g;
                        direction = (alike ? all1 : factor1[row][q]) * m[q];
                        scale = (alike ? all2 : factor2[row][q]) * v[q];
                    }
                    x[q] = shrink[q] * x[q] - rate[q] * direction / (root(scale) + eps[q]);
                    made->theta[row][q] = x[q], made->second[row][q] = v[q];
                    if (momentum) made->first[row][q] = m[q];
                }
            }
            if (waiting) deliver_part(before, &target, tile - TILE + 1, row, momentum);
            if (foreseen) fetch(&target, row, tile + AHEAD + 1, momentum);
        }
        waiting = dense && count == TILE;
        if (waiting) {
            rows *other = made;
            made = before, before = other;
        } else {
            deliver(made, &target, tile + 1, count, momentum);
        }
    }
    for (int part = 0; part < TILE && waiting; ++part) deliver_part(before, &target, to - TILE + 1, part, momentum);
}

INLINE void group(int64_t done, int64_t from, int64_t to, const lane *const *lanes)
{
    const lane *t = lanes[0];
    int alike = 1;

    for (int l = 0; l < WIDTH; ++l) {
        const lane *other = lanes[l];
        alike &= other->by1.factor == t->by1.factor && other->by2.factor == t->by2.factor;
        alike &= !other->factors && other->rule.coupled_decay == 0.0;
    }
#define ADVANCE(summing, momentum)                                    \
    do {                                                              \
        if (alike)                                                    \
            advance(done, from, to, lanes, summing, momentum, 1);     \
        else                                                          \
            advance(done, from, to, lanes, summing, momentum, 0);     \
    } while (0)
    if (t->rule.bias_correction)
        ADVANCE(0, 1);
    else if (t->rule.summing)
        ADVANCE(1, 0);
    else
        ADVANCE(0, 0);
#undef ADVANCE
}

/* Vectors twice as wide where the machine has them.  avx2 brings no fused multiply-add: the bits are the same. */
#if !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
__attribute__((target_clones("avx2", "default")))
#endif
static void wide(int64_t done, int64_t from, int64_t to, const lane *const *lanes) { group(done, from, to, lanes); }

/* Rows from + 1 ... to of any number of lanes, all with one summing and one bias_correction. */
void lockstep(int64_t done, int64_t from, int64_t to, int64_t count, const lane *lanes)
{
    for (int64_t at = 0; at < count; at += WIDTH) {
        const lane *chosen[WIDTH];
        /* A group that is not full repeats its last lane, which writes the same numbers again. */
        for (int l = 0; l < WIDTH; ++l) chosen[l] = lanes + (at + l < count ? at + l : count - 1);
        if (count - at == 1)
            single(done, from, to, chosen[0]);
        else
            wide(done, from, to, chosen);
    }
}

#endif
