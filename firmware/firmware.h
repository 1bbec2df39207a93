// State of the firmware, shared by its parts. All of it is static; nothing is ever allocated.

#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "mmio.h"
#include "tasic_descriptors.h"

#define FIRMWARE_MAJOR 1u
#define FIRMWARE_MINOR 1u
#define FIRMWARE_PATCH 0u

#define QUEUES 16u
#define OWN_QUEUES 4u          // of function 0; queue 3 + n is function n's
#define FUNCTIONS 13u          // with function 0
#define CORES 32u
#define KINDS 4u              // as KIND_*; 0 is none
#define SESSIONS 256u         // a chip may be configured for fewer
#define QUEUE_JOBS 32u       // commands of one queue under way: queues cannot starve each other of slots
#define JOBS (QUEUES * QUEUE_JOBS)
#define NO_JOB 0xFFFFu
#define NO_CORE_NUMBER 255u
#define HEARTBEAT_US 500u
#define ATTEMPTS 2u           // a job that its core did not end is tried so often
#define ALL_CORES 255u

// The firmware's part of device memory: log ring, then the private copies of job and session blocks.
#define LOG_RECORDS 256u
#define LOG_ADDRESS 0u
#define BLOCKS_ADDRESS (LOG_ADDRESS + LOG_RECORDS * RECORD_BYTES)
#define RATES_ADDRESS (BLOCKS_ADDRESS + JOBS * BLOCK_BYTES)
#define RATE_BYTES 512u
#define AREA_BYTES (RATES_ADDRESS + SESSIONS * RATE_BYTES)

struct set { // of sessions
    uint32_t words[SESSIONS / 32];
    uint32_t count;
};

struct job { // a command under way
    uint64_t user_data;
    uint64_t deadline; // ticks; 0: none
    uint64_t submitted;
    uint64_t started;
    uint64_t finished;
    uint32_t sequence;
    uint32_t session_number; // as the host knows it
    uint32_t wait_session;
    uint32_t wait_sequence;
    uint32_t detail;
    uint32_t output_bytes;
    uint32_t planned_bits; // rate control: what this picture was given
    uint16_t next;         // in its session's queue or in the free list
    uint16_t session;      // slot
    uint8_t type;
    uint8_t flags;
    uint8_t status;
    uint8_t core;
    uint8_t pinned; // 1 + number of the core that must run it; 0: any
    uint8_t qp;
    uint8_t attempts;
    uint8_t picture_class; // PICTURE_*
    uint8_t mode;          // MODE_*
    bool idr;
    bool announced;
    bool has_plan;         // rate control has a plan for it
    bool by_plan;          // and chose by it
};

// What rate control with a plan knows of a session. QPs in quarters.
struct plan_state {
    uint64_t spent[PICTURE_CLASSES]; // bits x step of the last pictures, decaying,
    uint64_t costs[PICTURE_CLASSES]; // and their costs
    uint64_t past;                   // bits x step of the base QP, of pictures that are no I pictures, decaying
    uint64_t intra_worth;            // the same of the last I picture
    uint32_t past_count;             // pictures in `past`, Q8
    int16_t base_qp;
    uint8_t chosen;                  // pictures so far, modulo 256
    uint8_t returned;
    struct {
        uint32_t cost;
        int16_t quantiser;           // QP that its bits follow: without the plan's offset
        int16_t base_qp;
    } under_way[2];
};

// What a picture took, kept until it may be learned from.
struct outcome {
    uint32_t bits;
    uint32_t planned_bits;
    uint8_t picture_class;
    uint8_t qp;
    bool by_plan;
};

// Rate control of one encode session; bits unless said otherwise. It is in device memory: the processor's own has no room.
struct rate {
    uint32_t picture_bits;  // average a picture; 0: the jobs give the QP
    uint32_t inflow_bits;   // into the decoder's buffer a picture; 0: no buffer is declared
    uint32_t buffer_bits;   // its size
    uint32_t overhead_bits; // that the host adds to each picture
    uint32_t idr_overhead_bits;
    uint32_t period;        // pictures from one I picture to the next
    uint32_t window;        // pictures over which a debt is paid back
    uint32_t credit_step;
    uint32_t under_way;     // pictures that were chosen and nothing was learned from yet
    uint32_t reserve_bits;  // that the last chosen one may take beyond its plan
    int64_t buffer_level;   // bits in it when the last chosen picture is out
    int64_t debt;           // spent beyond the average since the start
    int64_t credit;         // part of the debt that the last I picture made and that is not counted yet
    uint64_t complexity[PICTURE_CLASSES]; // bits x quantiser step (Q8) of the last pictures
    uint32_t weight[PICTURE_CLASSES];     // how often P and B pictures come, Q12
    bool known[PICTURE_CLASSES];          // the complexity was measured
    uint8_t qp_min;
    uint8_t qp_max;
    int8_t base_qp;
    bool started;           // a QP was chosen
    uint8_t quality_qp;     // constant quality: base QP in quarters, 1 more; 0: a bit rate, or the jobs' QP
    bool planned;           // a picture was chosen by a plan
    uint32_t chosen;        // pictures so far,
    uint32_t returned;      // those of them that came back,
    uint32_t learned;       // and those that were learned from, in order
    struct outcome outcomes[2]; // the last ones that came back, by their number
    struct plan_state plan;
};

_Static_assert(sizeof(struct rate) <= RATE_BYTES, "rate");

struct plan { // a plan as rate control reads it, from the picture's own entry on
    struct plan_header header;
    struct plan_entry entries[PLAN_ENTRIES_MOST];
    uint32_t count;
};

struct session {
    uint32_t number;            // what the host calls it: slot | generation << 16; 0: free
    uint32_t accepted_sequence; // of the last command taken
    uint32_t finished_sequence; // of the last command completed
    uint32_t reserve_kilosamples;
    uint32_t watchdog_beats;    // heartbeats that a job may run
    uint16_t width;
    uint16_t height;
    uint16_t first;             // commands under way, in order
    uint16_t last;
    uint16_t ahead;             // first of them that was not announced yet
    uint16_t length;
    uint8_t kind;
    uint8_t queue;
    bool any_accepted;
    bool any_finished;
    bool closing;               // CLOSE_SESSION was taken
    bool running;               // `first` is on a core
    bool controlled;            // rate control chooses the QP of its pictures
};

struct queue {
    uint64_t base;            // of the rings in device memory: translated
    uint64_t completion_base;
    uint64_t window_base;     // the queue's addresses are in this window of device memory
    uint64_t window_bytes;
    uint32_t window_area;     // window addresses below belong to the firmware
    uint32_t deadlines;       // commands under way that have one
    uint32_t size;            // records in each ring
    uint32_t head;
    uint32_t completion_tail;
    uint32_t under_way;       // commands taken and not completed
    uint16_t free;            // list of job slots
    uint8_t state;            // QUEUE_STATE_*
    uint8_t priority;
};

struct function { // what one client may have
    uint32_t session_limit;
    uint32_t sessions_open;
    uint32_t encode_rate_left; // kilosamples/s
};

struct chip {
    uint64_t memory_bytes;
    uint64_t area_bytes;      // device addresses below belong to the firmware
    uint32_t cores[KINDS];    // how many of each kind
    uint32_t session_limit;
    uint32_t sessions_open;
    uint32_t picture_width;
    uint32_t picture_height;
    uint32_t encode_rate_left; // kilosamples/s not reserved
    uint32_t ticks_per_us;
    uint32_t cores_out;        // bit n: core n is out of service
    uint32_t violations;
    uint32_t retried;
    uint32_t timed_out;
    uint32_t late;
    uint32_t version;          // of descriptors, as agreed; 0: none
    uint32_t accepted;
    uint32_t rejected;
    uint32_t finished;
    uint32_t failed;
};

extern struct chip chip;
extern struct queue queues[QUEUES];
extern uint32_t rings_in_use; // bit n: queue n is in a state in which nobody else may write to its rings
extern struct function functions[FUNCTIONS];
extern struct session sessions[SESSIONS];
extern struct job jobs[JOBS];

// What validation says about a command: status and its detail.
struct verdict {
    uint32_t status;
    uint32_t detail;
};

static inline uint32_t function_of(uint32_t queue)
{
    return queue < OWN_QUEUES ? 0 : queue - OWN_QUEUES + 1;
}

static inline uint64_t block_copy_address(uint32_t job)
{
    return BLOCKS_ADDRESS + (uint64_t)job * BLOCK_BYTES;
}

// main.c
void firmware_boot(void);
void firmware_turn(void);

// ring.c
void ring_control(void);
void ring_doorbell(uint32_t queue);
bool ring_turn(void);
void ring_complete(uint32_t job);
void ring_drain(void);

// validate.c
uint32_t surface_bytes(uint32_t width, uint32_t height);
struct verdict validate_command(const struct command *command, uint32_t queue);
struct verdict validate_session_block(const struct session_block *block);
struct verdict validate_block(uint32_t type, const void *block, const struct session *session);

// session.c
struct session *session_find(uint32_t number, uint32_t queue);
struct verdict session_open(const struct session_block *block, uint32_t queue, uint32_t *number);
void session_reconfigure(struct session *session, const struct session_block *block);
void session_close(uint32_t slot);

// schedule.c
void schedule_boot(void);
void schedule_add(uint32_t job);
void schedule_finished(void);
void schedule_dispatch(void);
void schedule_watch(void);
void schedule_cores(uint32_t reset);
void schedule_abort(uint32_t queue);

// rate_control.c
uint64_t divide(uint64_t dividend, uint32_t divisor);
struct rate *rate_load(const struct session *session);
void rate_store(const struct session *session, const struct rate *rate);
void rate_configure(struct rate *rate, const struct session_block *block, bool fresh);
bool rate_active(const struct rate *rate);
int64_t rate_room(struct rate *rate, bool idr);
void rate_settle(struct rate *rate, uint32_t planned_bits, uint32_t bits);
void rate_return(struct rate *rate, const struct job *job, uint32_t bits);
void rate_learn(struct rate *rate);
void rate_take(struct rate *rate, uint32_t class, bool idr, uint32_t planned_bits);
uint32_t rate_choose(struct rate *rate, uint32_t class, bool idr, uint32_t job_qp, uint32_t *planned_bits,
                     uint32_t *max_bits);

// plan.c
bool plan_read(struct plan *plan, uint64_t address, uint32_t index);
uint32_t plan_choose(struct rate *rate, const struct plan *plan, struct job *job, uint32_t *max_bits);
void plan_update(struct rate *rate, const struct outcome *outcome);

// log.c
void log_boot(void);
void log_write(uint32_t code, uint32_t a, uint32_t b, uint32_t c, uint32_t d);

#endif
