/* Each optimizer's loop for f = (theta - 4)^2 in one variable, as one would write it for this purpose alone.
 *
 * What lives here: the yardsticks of suite.topics.kernels and suite.topics.packs.  Nothing general: constants in registers, no options, no test
 * for divergence; the columns that a trajectory holds are written, and nothing else.
 */
#include <math.h>
#include <stdint.h>

void adagrad(int64_t steps, double alpha, double beta1, double beta2, double decay, double eps, double *theta,
             double *first, double *second)
{
    double x = theta[0], G = 0.0;
    for (int64_t k = 1; k <= steps; ++k) {
        const double g = 2.0 * (x - 4.0);
        G += g * g;
        x -= alpha * g / (sqrt(G) + eps);
        theta[k] = x;
        second[k] = G;
    }
}

void rmsprop(int64_t steps, double alpha, double beta1, double beta2, double decay, double eps, double *theta,
             double *first, double *second)
{
    double x = theta[0], v = 0.0;
    for (int64_t k = 1; k <= steps; ++k) {
        const double g = 2.0 * (x - 4.0);
        v = beta2 * v + (1.0 - beta2) * (g * g);
        x -= alpha * g / (sqrt(v) + eps);
        theta[k] = x;
        second[k] = v;
    }
}

void adam(int64_t steps, double alpha, double beta1, double beta2, double decay, double eps, double *theta,
          double *first, double *second)
{
    double x = theta[0], m = 0.0, v = 0.0;
    for (int64_t k = 1; k <= steps; ++k) {
        const double g = 2.0 * (x - 4.0);
        m = beta1 * m + (1.0 - beta1) * g;
        v = beta2 * v + (1.0 - beta2) * (g * g);
        x -= alpha * (m / (1.0 - pow(beta1, k))) / (sqrt(v / (1.0 - pow(beta2, k))) + eps);
        theta[k] = x;
        first[k] = m;
        second[k] = v;
    }
}

void adamw(int64_t steps, double alpha, double beta1, double beta2, double decay, double eps, double *theta,
           double *first, double *second)
{
    double x = theta[0], m = 0.0, v = 0.0;
    for (int64_t k = 1; k <= steps; ++k) {
        const double g = 2.0 * (x - 4.0);
        m = beta1 * m + (1.0 - beta1) * g;
        v = beta2 * v + (1.0 - beta2) * (g * g);
        x = (1.0 - alpha * decay) * x
            - alpha * (m / (1.0 - pow(beta1, k))) / (sqrt(v / (1.0 - pow(beta2, k))) + eps);
        theta[k] = x;
        first[k] = m;
        second[k] = v;
    }
}

void adaml2(int64_t steps, double alpha, double beta1, double beta2, double decay, double eps, double *theta,
            double *first, double *second)
{
    double x = theta[0], m = 0.0, v = 0.0;
    for (int64_t k = 1; k <= steps; ++k) {
        const double g = 2.0 * (x - 4.0) + decay * x;
        m = beta1 * m + (1.0 - beta1) * g;
        v = beta2 * v + (1.0 - beta2) * (g * g);
        x -= alpha * (m / (1.0 - pow(beta1, k))) / (sqrt(v / (1.0 - pow(beta2, k))) + eps);
        theta[k] = x;
        first[k] = m;
        second[k] = v;
    }
}

/* Many runs of one optimizer side by side, a learning rate each: row after row, the runs of a row next to each other.
 * The masses of the bias correction are the same for all runs and are computed once a step. */
void pack(int kind, int64_t runs, int64_t steps, const double *restrict alpha, double beta1, double beta2, double eps,
          double *restrict theta, double *restrict first, double *restrict second)
{
    for (int64_t k = 1; k <= steps; ++k) {
        const double *x = theta + (k - 1) * runs, *m = first + (k - 1) * runs, *v = second + (k - 1) * runs;
        double *x_new = theta + k * runs, *m_new = first + k * runs, *v_new = second + k * runs;
        const double mass1 = 1.0 - pow(beta1, (double)k), mass2 = 1.0 - pow(beta2, (double)k);
        if (kind == 0)
            for (int64_t i = 0; i < runs; ++i) {
                const double g = 2.0 * (x[i] - 4.0);
                v_new[i] = v[i] + g * g;
                x_new[i] = x[i] - alpha[i] * g / (sqrt(v_new[i]) + eps);
            }
        else if (kind == 1)
            for (int64_t i = 0; i < runs; ++i) {
                const double g = 2.0 * (x[i] - 4.0);
                v_new[i] = beta2 * v[i] + (1.0 - beta2) * (g * g);
                x_new[i] = x[i] - alpha[i] * g / (sqrt(v_new[i]) + eps);
            }
        else
            for (int64_t i = 0; i < runs; ++i) {
                const double g = 2.0 * (x[i] - 4.0);
                m_new[i] = beta1 * m[i] + (1.0 - beta1) * g;
                v_new[i] = beta2 * v[i] + (1.0 - beta2) * (g * g);
                x_new[i] = x[i] - alpha[i] * (m_new[i] / mass1) / (sqrt(v_new[i] / mass2) + eps);
            }
    }
}
