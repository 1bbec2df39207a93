// Rate control without looking ahead (plan.c has the one that does). Pictures come in classes: I, P, B that others refer to, other B. A class has a
// complexity, bits x quantiser step, learned from the bits that came back, and a fixed offset of its QP from the base QP;
// the base QP is the one at which the mix of classes that was seen lately takes the average rate. A debt against the
// average is paid back over about two seconds; what an I picture takes beyond the average counts as debt by and by, over
// the pictures to the next one.
//
// The decoder's buffer (H.264 Annex C) fills at the largest rate and gives each picture out at its time. No picture is
// planned to take more than most of what is there, and the core is told the limit (`max_bits`): it coarsens the
// macroblocks that are left when it runs towards it.
//
// All fixed-point: quantiser steps have 8 fractional bits, complexities are bits x step.

#include "firmware.h"

// 256 x 2^(qp / 6): six steps, then doubled every six (H.264 8.5.9 has steps in the same ratio).
static const uint16_t steps[6] = {256, 287, 323, 362, 406, 456};

static const int8_t offsets[PICTURE_CLASSES] = PICTURE_QP_OFFSETS;
// 256 x 2^(-offset / 6): how the bits of a class change by its offset.
static const uint16_t shares[PICTURE_CLASSES] = PICTURE_BITS_SHARES;

#define QP_UP 3               // most that the base QP moves from one picture to the next
#define QP_DOWN 2
#define PERIOD_UNKNOWN 250u   // pictures between I pictures when the host does not say
#define ONE 4096u             // weights of classes, their sum
#define WEIGHT_SHIFT 5        // a class's weight follows the last 32 pictures
#define WINDOW_LEAST 16u      // pictures over which a debt is paid back: two seconds within these bounds
#define WINDOW_MOST 240u

static uint64_t step(uint32_t qp)
{
    return (uint64_t)steps[qp % 6] << qp / 6;
}

// 64 by 32 bit division: the language's operator would call a library.
uint64_t divide(uint64_t dividend, uint32_t divisor)
{
    uint32_t high = (uint32_t)(dividend >> 32), low = (uint32_t)dividend;
    uint32_t quotient_high = high / divisor;
    uint64_t rest = high % divisor;
    uint32_t quotient = 0;
    for (uint32_t bit = 0; bit < 32; bit++) {
        rest = rest << 1 | low >> 31;
        low <<= 1;
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1;
        }
    }
    return (uint64_t)quotient_high << 32 | quotient;
}

static int64_t divide_signed(int64_t dividend, uint32_t divisor)
{
    return dividend < 0 ? -(int64_t)divide((uint64_t)-dividend, divisor) : (int64_t)divide((uint64_t)dividend, divisor);
}

static uint32_t at_most_32_bits(uint64_t value)
{
    return value > 0xFFFFFFFFu ? 0xFFFFFFFFu : (uint32_t)value;
}

static uint32_t clip_qp(const struct rate *rate, int32_t qp)
{
    return (uint32_t)(qp < rate->qp_min ? rate->qp_min : qp > rate->qp_max ? rate->qp_max : qp);
}

static uint32_t bits_a_picture(uint32_t rate, const struct session_block *block)
{
    uint64_t bits = rate ? divide((uint64_t)rate * block->rate_denominator, block->rate_numerator) : 0;
    return at_most_32_bits(rate && !bits ? 1 : bits);
}

// Before the first picture of a class: what natural video takes of it, beside the classes that are known.
static void assume_classes(struct rate *rate)
{
    if (!rate->known[PICTURE_P] && rate->known[PICTURE_I])
        rate->complexity[PICTURE_P] = divide(rate->complexity[PICTURE_I], 5) + 1;
    if (!rate->known[PICTURE_B_REFERENCE])
        rate->complexity[PICTURE_B_REFERENCE] = divide(rate->complexity[PICTURE_P] * 5, 8) + 1;
    if (!rate->known[PICTURE_B])
        rate->complexity[PICTURE_B] = divide(rate->complexity[PICTURE_P] * 3, 8) + 1;
}

// The session's rate control, from device memory; there is one at a time, until the next call.
struct rate *rate_load(const struct session *session)
{
    static struct rate rate;
    device_read(&rate, RATES_ADDRESS + (uint64_t)(session - sessions) * RATE_BYTES, sizeof rate);
    return &rate;
}

void rate_store(const struct session *session, const struct rate *rate)
{
    device_write(RATES_ADDRESS + (uint64_t)(session - sessions) * RATE_BYTES, rate, sizeof *rate);
}

static void learn_until(struct rate *rate, uint32_t count);

// Take over the parameters of a session block. `fresh`: a new session; else what was learned is kept, from all pictures
// before: they are done.
void rate_configure(struct rate *rate, const struct session_block *block, bool fresh)
{
    if (fresh)
        *rate = (struct rate){0};
    else
        learn_until(rate, rate->chosen);
    rate->qp_min = block->qp_min;
    rate->qp_max = block->qp_max;
    rate->period = block->intra_period ? block->intra_period : PERIOD_UNKNOWN;
    rate->overhead_bits = block->overhead_bits;
    rate->idr_overhead_bits = block->idr_overhead_bits;
    rate->quality_qp = block->quality_qp;
    rate->picture_bits = rate->inflow_bits = 0;
    if (block->rate_numerator == 0)
        return;
    rate->picture_bits = bits_a_picture(block->bit_rate, block);
    if (block->max_rate && block->buffer_bits) {
        rate->inflow_bits = bits_a_picture(block->max_rate, block);
        rate->buffer_bits = block->buffer_bits;
        if (fresh)
            // The first picture is taken out when so much is there; it has been counted in by `rate_choose`.
            rate->buffer_level = (int64_t)block->initial_bits - rate->inflow_bits;
        else if (rate->buffer_level > rate->buffer_bits)
            rate->buffer_level = rate->buffer_bits;
    }
    uint32_t window = 2 * block->rate_numerator / block->rate_denominator;
    rate->window = window < WINDOW_LEAST ? WINDOW_LEAST : window > WINDOW_MOST ? WINDOW_MOST : window;
    if (rate->started) {
        rate->debt = rate->credit = 0;
        return;
    }
    // What natural video takes at QP 27: 0.7 bits a sample in I and 0.12 in P pictures.
    uint64_t samples = (uint64_t)block->width * block->height;
    rate->complexity[PICTURE_I] = divide(samples * 7, 10) * step(27);
    rate->complexity[PICTURE_P] = divide(samples * 3, 25) * step(27);
    assume_classes(rate);
    uint32_t group = block->b_frames + 1u;
    rate->weight[PICTURE_P] = ONE / group;
    rate->weight[PICTURE_B_REFERENCE] = group > 2 ? ONE / group : 0;
    rate->weight[PICTURE_B] = ONE - rate->weight[PICTURE_P] - rate->weight[PICTURE_B_REFERENCE];
}

bool rate_active(const struct rate *rate)
{
    return rate->picture_bits || rate->inflow_bits || rate->quality_qp;
}

// Bits x step of the mean picture, if the base QP's step is the unit.
static uint64_t mean_complexity(const struct rate *rate)
{
    uint32_t intra = rate->period > 1 ? ONE / rate->period : ONE;
    uint64_t sum = 0;
    for (uint32_t c = 0; c < PICTURE_CLASSES; c++) {
        uint32_t weight = c == PICTURE_I ? intra : rate->weight[c] * (ONE - intra) / ONE;
        sum += (rate->complexity[c] >> 8) * shares[c] * weight;
    }
    return sum >> 12; // 8 of the shares and 12 of the weights, less the 8 above
}

static uint32_t wanted_base(const struct rate *rate)
{
    int64_t least = rate->picture_bits / 4 + 1, most = (int64_t)rate->picture_bits * 2;
    int64_t target = (int64_t)rate->picture_bits - divide_signed(rate->debt - rate->credit, rate->window);
    target = target < least ? least : target > most ? most : target;
    uint64_t mean = mean_complexity(rate);
    uint32_t qp = 0;
    // The nearest: half a step of QP is a factor of 17/16.
    while (qp < 51 && step(qp) * (uint64_t)target * 17 < mean * 16)
        qp++;
    return qp;
}

// Keep the base QP from swinging: half of the way (feedback is a picture late), a few steps at most.
static int32_t settle(int32_t from, int32_t to)
{
    int32_t change = (to - from + (to > from) - (to < from)) / 2;
    return from + (change > QP_UP ? QP_UP : change < -QP_DOWN ? -QP_DOWN : change);
}

static int64_t overhead(const struct rate *rate, bool idr)
{
    return idr ? rate->idr_overhead_bits : rate->overhead_bits;
}

// The next picture's time has come: what flowed in is in the buffer. Returns what it may take.
int64_t rate_room(struct rate *rate, bool idr)
{
    rate->buffer_level += rate->inflow_bits;
    if (rate->buffer_level > rate->buffer_bits)
        rate->buffer_level = rate->buffer_bits;
    // A little stays for what the model does not see (rounding of times, start codes), and what the picture before,
    // still under way, may take beyond its plan.
    int64_t room = rate->buffer_level - overhead(rate, idr) - rate->buffer_bits / 64;
    if (rate->under_way)
        room -= rate->reserve_bits;
    return room < 512 ? 512 : room;
}

// The next picture is planned to take so much.
void rate_take(struct rate *rate, uint32_t class, bool idr, uint32_t planned_bits)
{
    int64_t taken = (int64_t)planned_bits + overhead(rate, idr);
    rate->under_way++;
    rate->debt += taken - rate->picture_bits;
    rate->buffer_level -= taken;
    if (class == PICTURE_I) {
        rate->credit = taken > rate->picture_bits ? taken - rate->picture_bits : 0;
        rate->credit_step = at_most_32_bits(divide((uint64_t)rate->credit, rate->period) + 1);
    } else {
        rate->credit = rate->credit > rate->credit_step ? rate->credit - rate->credit_step : 0;
        for (uint32_t c = PICTURE_P; c < PICTURE_CLASSES; c++) {
            int32_t aim = c == class ? (int32_t)ONE : 0;
            rate->weight[c] = (uint32_t)((int32_t)rate->weight[c] + (aim - (int32_t)rate->weight[c]) / (1 << WEIGHT_SHIFT));
        }
    }
    rate->started = true;
}

// Choose the QP of the next picture of a class; `job_qp` counts where no average rate is asked for. `planned_bits` is what
// the model expects it to take, `max_bits` what it must not exceed (0: no limit).
uint32_t rate_choose(struct rate *rate, uint32_t class, bool idr, uint32_t job_qp, uint32_t *planned_bits,
                     uint32_t *max_bits)
{
    uint32_t qp = job_qp;
    *max_bits = 0;
    int64_t room = rate->inflow_bits ? rate_room(rate, idr) : 0;
    if (rate->quality_qp)
        qp = clip_qp(rate, (rate->quality_qp - 1) / 4 + offsets[class]);
    if (rate->picture_bits) {
        int32_t wanted = (int32_t)wanted_base(rate);
        bool known = rate->known[PICTURE_P] || rate->known[PICTURE_I];
        bool tight = rate->inflow_bits && rate->buffer_level * 8 < rate->buffer_bits;
        rate->base_qp = (int8_t)(known && !tight ? settle(rate->base_qp, wanted) : wanted);
        qp = clip_qp(rate, rate->base_qp + offsets[class]);
    }
    if (rate->inflow_bits)
        while (qp < rate->qp_max && step(qp) * (uint64_t)room * 7 < rate->complexity[class] * 8)
            qp++;
    uint64_t planned = divide(rate->complexity[class], (uint32_t)step(qp));
    if (rate->inflow_bits) {
        // Twice the plan, so that the next picture has room, too.
        uint64_t most = planned * 2 + rate->buffer_bits / 16;
        *max_bits = at_most_32_bits(most < (uint64_t)room ? most : (uint64_t)room);
        if (planned > *max_bits)
            planned = *max_bits;
        rate->reserve_bits = *max_bits - (uint32_t)planned;
    }
    *planned_bits = at_most_32_bits(planned);
    rate_take(rate, class, idr, *planned_bits);
    return qp;
}

// A picture came back: replace what was planned by what it took.
void rate_settle(struct rate *rate, uint32_t planned_bits, uint32_t bits)
{
    rate->under_way--;
    rate->debt += (int64_t)bits - planned_bits;
    rate->buffer_level += (int64_t)planned_bits - bits;
    // Neither a long still scene nor one that no QP could hold is paid back in full.
    int64_t most = (int64_t)rate->picture_bits * rate->window;
    if (rate->debt < -2 * most)
        rate->debt = -2 * most;
    if (rate->debt > 4 * most + rate->credit)
        rate->debt = 4 * most + rate->credit;
    if (rate->buffer_level < -(int64_t)rate->buffer_bits)
        rate->buffer_level = -(int64_t)rate->buffer_bits;
}

// The same, and learn what its class takes.
static void update(struct rate *rate, const struct outcome *outcome)
{
    uint32_t class = outcome->picture_class;
    rate_settle(rate, outcome->planned_bits, outcome->bits);
    uint64_t measured = (uint64_t)outcome->bits * step(outcome->qp);
    rate->complexity[class] = rate->known[class] ? (rate->complexity[class] + measured) / 2 : measured;
    if (rate->complexity[class] == 0)
        rate->complexity[class] = 1;
    rate->known[class] = true;
    assume_classes(rate);
}

// A picture came back. It is not learned from before its turn: a QP must not depend on how fast the chip or the host is.
void rate_return(struct rate *rate, const struct job *job, uint32_t bits)
{
    rate->outcomes[rate->returned++ % 2] = (struct outcome){
        .bits = bits,
        .planned_bits = job->planned_bits,
        .picture_class = job->picture_class,
        .qp = job->qp,
        .by_plan = job->by_plan,
    };
}

static void learn_until(struct rate *rate, uint32_t count)
{
    for (; rate->learned != rate->returned && (int32_t)(count - rate->learned) > 0; rate->learned++) {
        const struct outcome *outcome = &rate->outcomes[rate->learned % 2];
        if (outcome->by_plan)
            plan_update(rate, outcome);
        else
            update(rate, outcome);
    }
}

// Before the next picture is chosen: learn from all but the one before it, which may be under way or back.
void rate_learn(struct rate *rate)
{
    if (rate->chosen)
        learn_until(rate, rate->chosen - 1);
    rate->chosen++;
}
