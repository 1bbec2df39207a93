// Rate control: one pass, whole pictures. The QP of a picture comes from a model, bits = complexity / quantiser step, with
// one complexity for I and one for P pictures, learned from the bits that came back. A debt against the average rate is
// paid back over about a second, and no picture may take more than the decoder's buffer holds.
//
// All fixed-point: quantiser steps have 8 fractional bits, complexities are bits x step.

#include "firmware.h"

// 256 x 2^(qp / 6): six steps, then doubled every six (H.264 8.5.9 has steps in the same ratio).
static const uint16_t steps[6] = {256, 287, 323, 362, 406, 456};

#define QP_CHANGE 3           // most that the QP moves from one picture to the next
#define RATIO_MAX (10u << 8)  // most that an I picture gets, in P pictures, Q8
#define PERIOD_UNKNOWN 250u   // pictures between I pictures when the host does not say

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

// Take over the parameters of a session block. `fresh`: a new session; else what was learned is kept.
void rate_configure(struct rate *rate, const struct session_block *block, bool fresh)
{
    if (fresh)
        *rate = (struct rate){0};
    rate->qp_min = block->qp_min;
    rate->qp_max = block->qp_max;
    rate->intra_period = block->intra_period;
    if (block->bit_rate == 0) {
        rate->picture_bits = 0;
        return;
    }
    uint64_t bits = divide((uint64_t)block->bit_rate * block->rate_denominator, block->rate_numerator);
    rate->picture_bits = at_most_32_bits(bits ? bits : 1);
    rate->buffer_bits = block->buffer_bits ? block->buffer_bits : block->bit_rate;
    uint32_t second = block->rate_numerator / block->rate_denominator;
    rate->window = second < 8 ? 8 : second > 120 ? 120 : second;
    if (!rate->started || rate->buffer_level > rate->buffer_bits)
        rate->buffer_level = (int64_t)rate->buffer_bits * 3 / 4;
    if (!rate->started) {
        // Before the first picture: what natural video takes at QP 27, 0.7 bits a sample in I and 0.12 in P pictures.
        uint64_t samples = (uint64_t)block->width * block->height;
        rate->intra_complexity = divide(samples * 7, 10) * step(27);
        rate->inter_complexity = divide(samples * 3, 25) * step(27);
    } else {
        rate->debt = 0;
    }
}

// What this picture should take, bits: the share of its type, less the debt, within what the buffer holds.
static uint32_t target_bits(const struct rate *rate, bool intra)
{
    uint32_t period = rate->intra_period ? rate->intra_period : PERIOD_UNKNOWN;
    uint64_t share = rate->picture_bits;
    if (period > 1) {
        uint64_t large = rate->intra_complexity, small = rate->inter_complexity;
        while (large >> 40 || small >> 32)
            large >>= 1, small >>= 1;
        uint64_t ratio = small ? divide(large << 8, (uint32_t)small) : RATIO_MAX;
        ratio = ratio < 256 ? 256 : ratio > RATIO_MAX ? RATIO_MAX : ratio;
        // period x average = (period - 1) x P + 1 x I, and I = ratio x P.
        share = divide(share * period << 8, (period - 1) * 256 + (uint32_t)ratio);
        if (intra)
            share = share * ratio >> 8;
    }
    int64_t target = (int64_t)share - divide_signed(rate->debt, rate->window);
    int64_t least = (int64_t)share / 4 + 1, most = (int64_t)share * 2, room = rate->buffer_level * 3 / 4;
    target = target < least ? least : target > most ? most : target;
    if (target > room)
        target = room < 64 ? 64 : room;
    return at_most_32_bits((uint64_t)target);
}

// Keep the QP from swinging: P pictures go half of the way (feedback is a picture late), all at most QP_CHANGE.
static uint32_t settle(const struct rate *rate, bool intra, uint32_t wanted)
{
    int32_t change = (int32_t)wanted - rate->last_qp;
    if (!intra)
        change /= 2;
    change = change > QP_CHANGE ? QP_CHANGE : change < -QP_CHANGE ? -QP_CHANGE : change;
    int32_t qp = rate->last_qp + change;
    return (uint32_t)(qp < rate->qp_min ? rate->qp_min : qp > rate->qp_max ? rate->qp_max : qp);
}

// Choose the QP of the next picture; `planned_bits` is what the model expects it to take.
uint32_t rate_choose(struct rate *rate, bool intra, uint32_t *planned_bits)
{
    rate->buffer_level += rate->picture_bits;
    if (rate->buffer_level > rate->buffer_bits)
        rate->buffer_level = rate->buffer_bits;
    uint64_t complexity = intra ? rate->intra_complexity : rate->inter_complexity;
    uint64_t target = target_bits(rate, intra);
    uint32_t qp = rate->qp_min;
    while (qp < rate->qp_max && step(qp) * target < complexity)
        qp++;
    bool known = intra ? rate->intra_known : rate->inter_known;
    if (rate->started && known && rate->buffer_level * 8 > rate->buffer_bits)
        qp = settle(rate, intra, qp);
    uint64_t planned = divide(complexity, (uint32_t)step(qp));
    *planned_bits = at_most_32_bits(planned);
    rate->debt += (int64_t)*planned_bits - rate->picture_bits;
    rate->buffer_level -= *planned_bits;
    if (!intra || !rate->inter_known)
        rate->last_qp = (uint8_t)qp;
    rate->started = true;
    return qp;
}

// A picture came back: replace what was planned by what it took, and learn.
void rate_update(struct rate *rate, bool intra, uint32_t qp, uint32_t planned_bits, uint32_t bits)
{
    rate->debt += (int64_t)bits - planned_bits;
    rate->buffer_level += (int64_t)planned_bits - bits;
    // Neither a long still scene nor one that no QP could hold is paid back in full.
    int64_t most = (int64_t)rate->picture_bits * rate->window;
    if (rate->debt < -most)
        rate->debt = -most;
    if (rate->debt > 4 * most)
        rate->debt = 4 * most;
    if (rate->buffer_level < -(int64_t)rate->buffer_bits)
        rate->buffer_level = -(int64_t)rate->buffer_bits;
    uint64_t measured = (uint64_t)bits * step(qp);
    uint64_t *complexity = intra ? &rate->intra_complexity : &rate->inter_complexity;
    bool *known = intra ? &rate->intra_known : &rate->inter_known;
    *complexity = *known ? (*complexity + measured) / 2 : measured;
    if (*complexity == 0)
        *complexity = 1;
    *known = true;
    if (intra && !rate->inter_known)
        rate->inter_complexity = divide(measured, 5) + 1;
}
