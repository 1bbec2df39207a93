// The log: a ring of records in device memory that the host may read at any time.

#include "firmware.h"

static uint32_t log_index;

void log_boot(void)
{
    log_index = 0;
    mmio_write(REG(log_base), LOG_ADDRESS);
    mmio_write(REG(log_size), LOG_RECORDS);
    mmio_write(REG(log_count), 0);
}

void log_write(uint32_t code, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    struct log_record record = {.ticks = ticks_now(), .index = log_index, .code = code, .a = a, .b = b, .c = c, .d = d};
    device_write(LOG_ADDRESS + (uint64_t)(log_index % LOG_RECORDS) * RECORD_BYTES, &record, sizeof record);
    mmio_write(REG(log_count), ++log_index);
}
