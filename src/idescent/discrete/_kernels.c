/* Compiled loops of Algorithms 1-3 of the paper, for objectives whose gradient is separable and affine; at the end, the
 * inner loops of a sweep of Algorithm 4.
 *
 * Iteration k = 1, 2, ... of coordinate i, with the learning rate alpha_k = alpha factors[k - 1] (or alpha):
 *
 *   g       = curvature_i (theta_{k-1} - center_i) + coupled_decay theta_{k-1}
 *   v_k     = beta2 v_{k-1} + (1 - beta2) g^2, or v_{k-1} + g^2 if summing
 *   m_k     = beta1 m_{k-1} + (1 - beta1) g, or g without momentum
 *   theta_k = (1 - alpha_k decoupled_decay) theta_{k-1} - alpha_k b1_k m_k / (sqrt(b2_k v_k) + eps)
 *
 * The bias corrections are b_k = 1 / (1 - beta^k), or 1 without bias correction.  An optimizer of these kernels has both
 * momentum and bias correction or neither.  With one accumulator for all coordinates (norm) v is a single number, and g^2
 * is the sum of the squares over i.
 *
 * kernels.py loads the library and calls the first three functions, spline.py the last three:
 *
 *   corrections  computes b_1, b_2, ... for one beta
 *   simulate     computes one run with any number of coordinates
 *   lockstep     computes many lanes at once; a lane is one coordinate of one run whose coordinates are independent
 *   basis        evaluates the basis of a cubic spline at many points
 *   spline       evaluates a cubic spline at many points
 *   scan         sums the pieces of a decaying memory
 *
 * Results are identical to the bit with the loop in Python (loop.py), which has the same operations in the same order:
 * another order here would change results.  The only operations are + - * / and square roots, which IEEE 754 rounds alike
 * everywhere: results depend on no library and no machine.
 *
 * Arrays of states are row-major with one row for each iterate.  Row 0 is the state after the first `done` iterations, which
 * the caller fills in; row j is the state after iteration done + j.
 */
#include <math.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))

/* The loader compares it with the source file and refuses a library compiled from another version. */
const char *source_digest(void) { return SOURCE_DIGEST; }

/* An optimizer.  The fields of this and the next two structures are repeated in kernels.py, in the same order. */
typedef struct {
    double beta1;           /* decay of the first moment; 0 without momentum */
    double beta2;           /* decay of the second moment; ignored when summing */
    double eps;             /* added to the root */
    double decoupled_decay; /* AdamW: theta <- (1 - alpha w) theta - ... */
    double coupled_decay;   /* AdamL2: g <- g + w theta */
    int32_t summing;        /* AdaGrad: v is a sum, not an average */
    int32_t bias_correction; /* with momentum, see above */
    int32_t norm;           /* one accumulator for the sum of squares over the coordinates */
} rule;

/* Multiply the double-double high + low by factor + factor_low, in place.  Veltkamp's splitting into halves of 26 bits gives
 * the exact rounding error of high * factor (Dekker's product). */
INLINE void multiply(double *high, double *low, double factor, double factor_low)
{
    const double splitter = 134217729.0 /* 2^27 + 1 */, a = *high, b = factor, product = a * b;
    const double a_far = splitter * a, a_high = a_far - (a_far - a), a_low = a - a_high;
    const double b_far = splitter * b, b_high = b_far - (b_far - b), b_low = b - b_high;
    const double error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    const double rest = error + (a * factor_low + *low * b);
    *high = product + rest, *low = rest - (*high - product);
}

/* Write 1 / (1 - beta^k) to factor[k - 1], k = 1 ... count.  Powers are computed in double-double and not by the C
 * library, whose last bits depend on its version; corrections.py has the same computation in Python.  STRANDS
 * independent sequences of powers, each of which advances by beta^STRANDS, hide the latency of the multiplications. */
void corrections(double beta, int64_t count, double *factor)
{
    enum { STRANDS = 8 };
    double high[STRANDS] = {beta}, low[STRANDS] = {0.0};

    /* high[j] + low[j] = beta^(j + 1). */
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

/* Bias corrections b_k of a moment: factor[k - 1] for k <= known, beyond which they are exactly 1. */
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

/* One run; arguments as for `simulate`.  Its switches summing, norm and momentum are constants of each call: the compiler
 * generates one loop for each combination, without branches on them. */
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
        /* The norm's accumulator needs the gradient of every coordinate before the first one is updated. */
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
            /* Where g * g overflows v is infinite and theta constant, so finite: v is tested, too. */
            finite &= (isfinite(new[i]) != 0) & (isfinite(v[norm ? 0 : i]) != 0);
        }
        if (!finite) return k;
    }
    return -1;
}

/* Compute rows 1 ... steps of one run of n coordinates.  Return the first row that is not finite, or -1.
 *
 *   done               iterations before row 0
 *   factors            (steps,) factors of alpha, or NULL
 *   r                  the optimizer
 *   by1, by2           bias corrections of m and v; not read without bias correction
 *   curvature, center  (n,)
 *   theta              (steps + 1, n)
 *   first              (steps + 1, n), m; not accessed without momentum
 *   second             (steps + 1, n), v; (steps + 1, 1) for a norm
 */
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

/* A lane: one coordinate of one run.  Row j of its state is theta[j * stride], first[j * stride], second[j * stride]: stride
 * is the number n of the run's coordinates, and the pointers are those to this coordinate in row 0. */
typedef struct {
    rule rule;
    double alpha, curvature, center;
    const double *factors; /* factors of alpha in rows 1, 2, ..., or NULL */
    correction by1, by2;
    double *theta, *first, *second;
    int64_t stride;
} lane;

/* Compute rows from + 1 ... to of one lane; row `from` is known.  Without a test for finite numbers: a state that is not
 * finite stays so, and the caller tests the last row. */
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

/* `alone` with its switches as constants. */
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

/* Without the vector types of gcc and clang: one lane after another. */
void lockstep(int64_t done, int64_t from, int64_t to, int64_t count, const lane *lanes)
{
    for (int64_t l = 0; l < count; ++l) single(done, from, to, lanes + l);
}

#else

/* Lockstep.  The time of an iteration is the latency of its root and quotient, which depend on each other and on the
 * iteration before.  WIDTH lanes that advance together by one row hide this latency from each other: QUADS vectors of four
 * lanes keep the units for root and quotient busy.
 *
 * The rows of WIDTH lanes are computed in tiles of TILE rows, a local buffer with lanes side by side: lane 4 q + i is
 * tile->theta[row][q][i].  A lane's own array is contiguous in rows instead (stride 1), so that a tile must be transposed.
 * This is done in TILE equal parts, blocks of four lanes by four rows: after each row of a tile one part of the tile before
 * is stored, and the stores hide behind roots as well.  Rows are prefetched AHEAD rows before they are stored.  LINE numbers
 * are a cache line of 64 bytes.  Lanes with a stride above 1, of a run with several coordinates, and tiles that are not full
 * are stored number by number. */
enum { QUADS = 4, WIDTH = 4 * QUADS, TILE = 16, AHEAD = 2 * TILE, LINE = 8 };
typedef double quad __attribute__((vector_size(32)));
typedef int64_t order __attribute__((vector_size(32)));
typedef double unaligned_quad __attribute__((vector_size(32), aligned(8), may_alias));
/* A tile. */
typedef struct {
    quad theta[TILE][QUADS], first[TILE][QUADS], second[TILE][QUADS];
} rows;
/* The arrays of WIDTH lanes. */
typedef struct {
    double *theta[WIDTH], *first[WIDTH], *second[WIDTH];
    int64_t stride[WIDTH];
} arrays;
/* For each vector of four lanes.  Unrolled, so that states stay in registers. */
#define EACH _Pragma("GCC unroll 4") for (int q = 0; q < QUADS; ++q)

INLINE quad splat(double x) { return (quad){x, x, x, x}; }

INLINE quad root(quad x) { return (quad){sqrt(x[0]), sqrt(x[1]), sqrt(x[2]), sqrt(x[3])}; }

#ifdef __clang__
#define SHUFFLE(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define SHUFFLE(a, b, i, j, k, l) __builtin_shuffle(a, b, (order){i, j, k, l})
#endif
/* Transpose row[0 ... 3][0], four rows of four lanes, and store four numbers of each lane at to[lane] + at. */
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

/* Store part 0 ... TILE - 1 of a full tile in arrays of stride 1; row 0 of the tile is row `at` of the arrays. */
INLINE void deliver_part(const rows *tile, const arrays *to, int64_t at, int part, int momentum)
{
    const int lanes = part / (TILE / 4) * 4, row = part % (TILE / 4) * 4, q = lanes / 4;
    turn((const quad(*)[QUADS]) & tile->theta[row][q], to->theta + lanes, at + row);
    turn((const quad(*)[QUADS]) & tile->second[row][q], to->second + lanes, at + row);
    if (momentum) turn((const quad(*)[QUADS]) & tile->first[row][q], to->first + lanes, at + row);
}

/* Prefetch the cache lines of TILE rows of lane l, from row `at`.  Processors do not foresee so many arrays by
 * themselves, and a line that is not in the cache takes longer than an iteration. */
INLINE void fetch(const arrays *to, int l, int64_t at, int momentum)
{
    for (int line = 0; line < TILE; line += LINE) {
        __builtin_prefetch(to->theta[l] + at + line, 1);
        __builtin_prefetch(to->second[l] + at + line, 1);
        if (momentum) __builtin_prefetch(to->first[l] + at + line, 1);
    }
}

/* Store the first `count` rows of a tile number by number, for any stride. */
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

/* Compute rows from + 1 ... to of WIDTH lanes.  The switches are constants of the call.  `alike`: all lanes have the
 * same bias corrections, constant learning rates and no coupled decay, so that these need no arrays. */
INLINE void advance(int64_t done, int64_t from, int64_t to, const lane *const *lanes, int summing, int momentum, int alike)
{
    const correction *by1 = &lanes[0]->by1, *by2 = &lanes[0]->by2;
    quad beta1[QUADS], beta2[QUADS], gain1[QUADS], gain2[QUADS], eps[QUADS], coupled[QUADS], decoupled[QUADS];
    quad alpha[QUADS], rate[QUADS], shrink[QUADS], curvature[QUADS], center[QUADS], x[QUADS], m[QUADS], v[QUADS];
    /* `made` is computed while `before`, if it is `waiting`, is stored.  `dense`: all strides are 1. */
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
        /* Rows tile + 1 ... next.  The first tile is short; all others begin at a multiple of LINE.  As the arrays begin at a
         * cache line, every store and prefetch of a full tile then covers whole lines. */
        next = (tile + 1 + TILE) / LINE * LINE - 1;
        if (next > to) next = to;
        const int count = (int)(next - tile);
        const int foreseen = dense && tile + AHEAD + TILE <= to;
        quad factor1[TILE][QUADS], factor2[TILE][QUADS], factor[TILE][QUADS];

        /* Bias corrections and factors of alpha, lanes side by side. */
        for (int l = 0; l < WIDTH && !alike; ++l)
            for (int row = 0; row < count; ++row) {
                const int64_t k = done + tile + row + 1;
                const int q = l / 4, i = l % 4;
                if (momentum) factor1[row][q][i] = factor_of(&lanes[l]->by1, k);
                if (momentum) factor2[row][q][i] = factor_of(&lanes[l]->by2, k);
                factor[row][q][i] = lanes[l]->factors ? lanes[l]->factors[tile + row] : 1.0;
            }
        /* TILE times even if the tile is shorter: each time one part of the tile before is stored. */
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
        /* A full tile of dense lanes is stored with the next one; the others at once. */
        waiting = dense && count == TILE;
        if (waiting) {
            rows *other = made;
            made = before, before = other;
        } else {
            deliver(made, &target, tile + 1, count, momentum);
        }
    }
    /* The last tile. */
    for (int part = 0; part < TILE && waiting; ++part) deliver_part(before, &target, to - TILE + 1, part, momentum);
}

/* `advance` with its switches as constants. */
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

/* A second version for machines with vectors of four doubles.  avx2 has no fused multiply-add: the bits are the same. */
#if !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
__attribute__((target_clones("avx2", "default")))
#endif
static void wide(int64_t done, int64_t from, int64_t to, const lane *const *lanes) { group(done, from, to, lanes); }

/* Compute rows from + 1 ... to of `count` lanes, which share summing and bias_correction.  Row `from` of each lane is
 * known, and row 0 is the state after `done` iterations.  The caller groups lanes that end together, since all advance
 * to the same row. */
void lockstep(int64_t done, int64_t from, int64_t to, int64_t count, const lane *lanes)
{
    for (int64_t at = 0; at < count; at += WIDTH) {
        const lane *chosen[WIDTH];
        /* A group that is not full repeats its last lane, which stores the same numbers again. */
        for (int l = 0; l < WIDTH; ++l) chosen[l] = lanes + (at + l < count ? at + l : count - 1);
        if (count - at == 1)
            single(done, from, to, chosen[0]);
        else
            wide(done, from, to, chosen);
    }
}

#endif

/* The cubic basis splines of `knots` (count knots, four equal ones at each end) that are not 0 at each of `points` points: the
 * index of the first, and the values of the four.  De Boor's recursion, in the order of spline.py. */
void basis(int64_t count, int64_t points, const double *knots, const double *x, int64_t *first, double *values)
{
    int64_t left = 3;

    for (int64_t i = 0; i < points; ++i, values += 4) {
        /* Neighbouring points are in neighbouring intervals. */
        while (left > 3 && x[i] < knots[left]) --left;
        while (left < count - 5 && x[i] >= knots[left + 1]) ++left;
        first[i] = left - 3;
        values[0] = 1.0;
        for (int j = 1; j <= 3; ++j) {
            double lower[3];
            for (int n = 0; n < j; ++n) lower[n] = values[n];
            values[0] = 0.0;
            for (int n = 1; n <= j; ++n) {
                const double xb = knots[left + n], xa = knots[left + n - j], weight = lower[n - 1] / (xb - xa);
                values[n - 1] += weight * (xb - x[i]);
                values[n] = weight * (x[i] - xa);
            }
        }
    }
}

/* Values of a spline at `count` points, for n components: each is a sum of four products, added from the first to the last.
 * Point i uses the coefficients first[i] ... first[i] + 3. */
void spline(int64_t count, int64_t n, const int64_t *first, const double *basis, const double *coefficients,
            double *values)
{
    for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < n; ++j) {
            const double *c = coefficients + first[i] * n + j, *b = basis + 4 * i;
            double sum = 0.0;
            for (int a = 0; a < 4; ++a) sum += c[a * n] * b[a];
            values[i * n + j] = sum;
        }
}

/* total[0] = 0, total[j + 1] = decay[j] total[j] + pieces[j]. */
void scan(int64_t count, const double *decay, const double *pieces, double *total)
{
    double x = total[0] = 0.0;
    for (int64_t j = 0; j < count; ++j) total[j + 1] = x = decay[j] * x + pieces[j];
}
