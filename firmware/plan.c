// Rate control that looks ahead. A plan says what the coming pictures are worth: costs from the first pass on the chip
// (asic_model/engines/first_pass.py), or bits that an earlier pass over the file took. From it follows the base QP, in
// quarters; each picture stands at its own offset from that (the macroblock tree's, a class's bias).
//
//   bits of a picture = coefficient of its class x cost / step(QP without the tree's offset)
//
// The coefficients are learned from the bits that come back. The base QP is the one at which the pictures ahead,
// with those lately past as far as the plan does not reach to the end, take the average rate less a part of the debt;
// a plan that reaches to the end is paid in full. Then the decoder's buffer is followed through the plan: where it
// would run low, the base QP rises until it does not; where it stays full, and what flows in is all that there is, bits
// are lost for good, and the base QP falls.
//
// All fixed-point: steps are Q8, coefficients Q16.

#include "firmware.h"

#define QUARTERS 24u            // of an octave: 6 QP
#define QP_SHIFT 96             // quarters: QPs down to -24 have a step
#define QP_MOST 324             // quarters
#define BASE_MOST 204
#define MOVE_MOST 8             // quarters that the base QP moves a picture
#define END_PICTURES 12u
#define PAST_SHIFT 7            // the past counts as about 128 pictures
#define RUN_LOW 8u              // of the buffer's parts that are kept: one
#define LOST_MOST 8u            // of its parts that a plan may lose: one

// 4096 x 2^(i / 24), and 65536 x 2^(-i / 24).
static const uint16_t octave[QUARTERS] = {4096, 4216, 4340, 4467, 4598, 4732, 4871, 5014, 5161, 5312, 5468, 5628,
                                          5793, 5962, 6137, 6317, 6502, 6693, 6889, 7090, 7298, 7512, 7732, 7959};
static const uint32_t inverse[QUARTERS] = {65536, 63670, 61858, 60097, 58386, 56724, 55109, 53540,
                                           52016, 50535, 49097, 47699, 46341, 45022, 43740, 42495,
                                           41285, 40110, 38968, 37859, 36781, 35734, 34716, 33728};
// Coefficients before the first picture of a class came back: what natural video takes.
static const uint32_t usual[PICTURE_CLASSES] = {PLAN_USUAL_I, PLAN_USUAL_P, PLAN_USUAL_B_REFERENCE, PLAN_USUAL_B};

static int32_t within(int32_t value, int32_t least, int32_t most)
{
    return value < least ? least : value > most ? most : value;
}

// 256 x 2^(qp / 24), qp in quarters.
static uint32_t step_of(int32_t qp)
{
    uint32_t at = (uint32_t)(within(qp, -QP_SHIFT, QP_MOST) + QP_SHIFT);
    return (uint32_t)((uint64_t)octave[at % QUARTERS] << at / QUARTERS >> 8);
}

// complexity (bits x step) / step(qp).
static uint64_t bits_at(uint64_t complexity, int32_t qp)
{
    uint32_t at = (uint32_t)(within(qp, -QP_SHIFT, QP_MOST) + QP_SHIFT);
    // the step is 16 x 2^(at / 24)
    uint64_t scaled = complexity >> 32 ? (complexity >> 16) * inverse[at % QUARTERS] : complexity * inverse[at % QUARTERS] >> 16;
    return scaled >> (4 + at / QUARTERS);
}

// The least QP (quarters) at which `complexity` takes no more than `bits`.
static int32_t qp_for(uint64_t complexity, uint64_t bits)
{
    int32_t low = 0, high = BASE_MOST;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (bits_at(complexity, middle) <= bits)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

bool plan_read(struct plan *plan, uint64_t address, uint32_t index)
{
    plan->count = 0;
    if (!device_read(&plan->header, address, sizeof plan->header))
        return false;
    uint32_t count = plan->header.count;
    if (index >= count || count > PLAN_ENTRIES_MOST)
        return false;
    plan->count = count - index;
    return device_read(plan->entries, address + sizeof plan->header + index * sizeof plan->entries[0],
                       plan->count * (uint32_t)sizeof plan->entries[0]);
}

// Q16; costs that an earlier pass measured begin at 1.
static uint64_t coefficient(const struct plan_state *state, uint32_t class, bool measured)
{
    uint64_t spent = state->spent[class], costs = state->costs[class];
    if (!costs)
        return measured ? 65536 : usual[class];
    while (costs >> 32) {
        costs >>= 1;
        spent >>= 1;
    }
    uint64_t found = spent >> 56 ? divide(spent, (uint32_t)costs) << 8 : divide(spent << 8, (uint32_t)costs);
    return found < 1 ? 1 : found >> 32 ? 0xFFFFFFFFu : found;
}

// What the plan's pictures take at a base QP of 0: sums over I pictures and the others.
struct ahead {
    uint64_t worth[PLAN_ENTRIES_MOST]; // bits x step, by picture, at its own bias
    uint64_t intra, inter;
    uint32_t intra_count, inter_count;
};

static void look_ahead(const struct plan_state *state, const struct plan *plan, struct ahead *ahead)
{
    uint64_t coefficients[PICTURE_CLASSES];
    ahead->intra = ahead->inter = 0;
    ahead->intra_count = ahead->inter_count = 0;
    for (uint32_t c = 0; c < PICTURE_CLASSES; c++)
        coefficients[c] = coefficient(state, c, plan->header.measured);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        uint32_t class = entry->picture_class % PICTURE_CLASSES;
        // as bits x step of the base QP
        uint64_t worth = bits_at(coefficients[class] * entry->cost, entry->bias);
        ahead->worth[i] = worth;
        if (class == PICTURE_I) {
            ahead->intra += worth;
            ahead->intra_count++;
        } else {
            ahead->inter += worth;
            ahead->inter_count++;
        }
    }
    const uint64_t far_costs[PICTURE_CLASSES] = {plan->header.far_cost_0, plan->header.far_cost_1,
                                                 plan->header.far_cost_2, plan->header.far_cost_3};
    const uint32_t far_counts[PICTURE_CLASSES] = {plan->header.far_count_0, plan->header.far_count_1,
                                                  plan->header.far_count_2, plan->header.far_count_3};
    for (uint32_t c = 0; c < PICTURE_CLASSES; c++) {
        // Far costs stand at their biases already. A coefficient is 4 at most here: sums of a long file stay in 64 bits.
        uint64_t k = coefficients[c] >> 18 ? 0x3FFFFu : coefficients[c];
        uint64_t worth = (far_costs[c] >> 44 ? 0xFFFFFFFFFFFu : far_costs[c]) * k >> 8;
        if (c == PICTURE_I) {
            ahead->intra += worth;
            ahead->intra_count += far_counts[c] & 0xFFFFFFu;
        } else {
            ahead->inter += worth;
            ahead->inter_count += far_counts[c] & 0xFFFFFFu;
        }
    }
}

// The last pictures: what is left over for them is not worth a leap.
static bool is_end(const struct plan *plan, const struct ahead *ahead)
{
    return plan->header.final && ahead->intra_count + ahead->inter_count < END_PICTURES;
}

// The base QP that the average rate asks for, quarters.
static int32_t wanted_qp(const struct rate *rate, const struct plan_state *state, const struct plan *plan,
                         const struct ahead *ahead)
{
    uint32_t count = ahead->intra_count + ahead->inter_count;
    int64_t pictures = rate->picture_bits;
    if (plan->header.final) {
        int64_t bits = pictures * count - rate->debt, least = pictures * count / 8 + 1;
        return qp_for(ahead->intra + ahead->inter, (uint64_t)(bits < least ? least : bits));
    }
    uint64_t inter = 0;
    uint32_t inter_count = ahead->inter_count * 256 + state->past_count;
    if (inter_count)
        inter = divide(ahead->inter + state->past, inter_count) << 8;
    // An I picture ahead or, if there is none, the last one, over the pictures of its period.
    uint64_t intra = ahead->intra_count ? divide(ahead->intra, ahead->intra_count) : state->intra_worth;
    uint64_t share = divide(intra, rate->period);
    uint64_t often = divide(ahead->intra, count);
    if (ahead->intra_count > 1 && often > share)
        share = often;
    int64_t most = pictures * 2, least = pictures / 4 + 1;
    int64_t debt = rate->debt - rate->credit;
    int64_t repaid = debt < 0 ? -(int64_t)divide((uint64_t)-debt, rate->window) : (int64_t)divide((uint64_t)debt, rate->window);
    int64_t target = pictures - repaid;
    target = target < least ? least : target > most ? most : target;
    return qp_for(inter + share, (uint64_t)target);
}

// Whether the buffer stays well above empty through the plan at a base QP; `level` bits are there for the first picture.
// `lost`: bits that find it full.
static bool buffer_holds(const struct rate *rate, const struct plan *plan, const struct ahead *ahead, int32_t qp, int64_t level,
                         int64_t *lost)
{
    int64_t low = rate->buffer_bits / RUN_LOW;
    *lost = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        uint64_t bits = bits_at(ahead->worth[i], qp);
        level -= bits >> 32 ? 0xFFFFFFFF : (int64_t)bits;
        level -= plan->entries[i].idr ? rate->idr_overhead_bits : rate->overhead_bits;
        // The nearest pictures count in full; further ahead, where costs are guesses of guesses, a little less.
        if (level < low - (int64_t)i * (rate->buffer_bits / 256))
            return false;
        level += rate->inflow_bits;
        if (level > rate->buffer_bits) {
            *lost += level - rate->buffer_bits;
            level = rate->buffer_bits;
        }
    }
    return true;
}

// The base QP that keeps the buffer from running low, and from being full for long where the mean rate fills it.
static int32_t fit_buffer(const struct rate *rate, const struct plan *plan, const struct ahead *ahead, int32_t base, int32_t least,
                          int64_t level)
{
    int64_t lost;
    // With the end in sight the mean rate is paid anyway. A plan by an earlier pass counts to the end from the beginning.
    bool ends = plan->header.final && ahead->intra_count + ahead->inter_count == plan->count;
    bool holds = buffer_holds(rate, plan, ahead, base, level, &lost);
    if (rate->inflow_bits == rate->picture_bits && !ends)
        while (holds && base > least && lost > rate->buffer_bits / LOST_MOST)
            holds = buffer_holds(rate, plan, ahead, --base, level, &lost);
    int32_t low = base, high = holds ? base : BASE_MOST;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (buffer_holds(rate, plan, ahead, middle, level, &lost))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

// Choose the QP of the plan's first picture, the job's.
uint32_t plan_choose(struct rate *rate, const struct plan *plan, struct job *job, uint32_t *max_bits)
{
    static struct ahead ahead;
    struct plan_state *state = &rate->plan;
    const struct plan_entry *own = &plan->entries[0];
    *max_bits = 0;
    int64_t level = rate->buffer_level + rate->inflow_bits;
    level = level > rate->buffer_bits ? rate->buffer_bits : level;
    if (rate->under_way)
        level -= rate->reserve_bits / 2 < rate->buffer_bits / 16 ? rate->reserve_bits / 2 : rate->buffer_bits / 16;
    int64_t room = rate->inflow_bits ? rate_room(rate, job->idr) : 0;
    look_ahead(state, plan, &ahead);
    int32_t base = (int32_t)job->qp * 4 - own->bias;
    if (rate->quality_qp)
        base = rate->quality_qp - 1;
    int32_t least = base;
    if (rate->picture_bits) {
        int32_t last = state->base_qp;
        base = wanted_qp(rate, state, plan, &ahead);
        if (rate->planned && !(job->picture_class == PICTURE_I && !job->idr))
            base = within(base, last - (is_end(plan, &ahead) ? 1 : MOVE_MOST), last + MOVE_MOST);
        least = rate->planned ? within(last - MOVE_MOST, 0, base) : base;
        state->base_qp = (int16_t)base;
        rate->planned = true;
    }
    if (rate->inflow_bits) {
        base = fit_buffer(rate, plan, &ahead, base, least, level);
        // What was lowered is where the next picture's QP moves from; what had to rise is not.
        if (rate->picture_bits && base < state->base_qp)
            state->base_qp = (int16_t)base;
    }
    int32_t at = base + own->bias + 4 * own->offset;
    int32_t qp = within((at + 2) >> 2, rate->qp_min, rate->qp_max);
    // Whole steps of QP: the bits follow the step that was taken.
    int32_t moved = 4 * qp - at;
    if (rate->inflow_bits)
        while (qp < rate->qp_max && bits_at(ahead.worth[0], base + moved) * 8 > (uint64_t)room * 7) {
            qp++;
            moved += 4;
        }
    uint64_t planned = bits_at(ahead.worth[0], base + moved);
    if (rate->inflow_bits) {
        // Half of what is there even where little is expected: costs may be wrong by far, as of text that scrolls.
        uint64_t most = planned * 2 + rate->buffer_bits / 16, half = (uint64_t)room / 2;
        most = most < half ? half : most;
        *max_bits = most < (uint64_t)room ? (uint32_t)most : (uint32_t)room;
        if (planned > *max_bits)
            planned = *max_bits;
        rate->reserve_bits = *max_bits - (uint32_t)planned;
    }
    job->planned_bits = planned >> 32 ? 0xFFFFFFFFu : (uint32_t)planned;
    uint32_t turn = state->chosen++ % 2;
    state->under_way[turn].cost = own->cost;
    state->under_way[turn].quantiser = (int16_t)(4 * qp - 4 * own->offset);
    state->under_way[turn].base_qp = (int16_t)(base + moved);
    rate_take(rate, job->picture_class, job->idr, job->planned_bits);
    return (uint32_t)qp;
}

// The picture came back: learn.
void plan_update(struct rate *rate, const struct outcome *outcome)
{
    struct plan_state *state = &rate->plan;
    uint32_t bits = outcome->bits, class = outcome->picture_class, turn = state->returned++ % 2;
    rate_settle(rate, outcome->planned_bits, bits);
    // Coefficients forget a quarter with each picture: what single pictures take scatters. I pictures are rare and seldom
    // alike: three quarters.
    uint64_t spent = state->spent[class], costs = state->costs[class];
    spent = class == PICTURE_I ? spent >> 2 : spent - (spent >> 2);
    costs = class == PICTURE_I ? costs >> 2 : costs - (costs >> 2);
    state->spent[class] = spent + (uint64_t)bits * step_of(state->under_way[turn].quantiser);
    state->costs[class] = costs + state->under_way[turn].cost;
    uint64_t worth = (uint64_t)bits * step_of(state->under_way[turn].base_qp);
    if (class == PICTURE_I) {
        state->intra_worth = worth;
    } else {
        state->past += worth - (state->past >> PAST_SHIFT);
        state->past_count += 256 - (state->past_count >> PAST_SHIFT);
    }
}
