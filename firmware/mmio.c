// Registers and mover.

#include "mmio.h"

static bool move(uint64_t device, const void *local, uint32_t bytes, uint32_t write)
{
    mmio_write(REG(mover_device_low), (uint32_t)device);
    mmio_write(REG(mover_device_high), (uint32_t)(device >> 32));
    mmio_write(REG(mover_local), local_address(local));
    // The bus holds this store until the move is done.
    mmio_write(REG(mover_go), bytes << TASIC__MOVER_GO__BYTES_bp | write << TASIC__MOVER_GO__WRITE_bp);
    (void)local_address(local);
    return mmio_read(REG(mover_status)) == 0;
}

bool device_read(void *to, uint64_t from, uint32_t bytes)
{
    return move(from, to, bytes, 0);
}

bool device_write(uint64_t to, const void *from, uint32_t bytes)
{
    return move(to, from, bytes, 1);
}

uint64_t ticks_now(void)
{
    // Reading the low half latches the high one: the order matters.
    uint32_t low = mmio_read(REG(time_low));
    return (uint64_t)mmio_read(REG(time_high)) << 32 | low;
}
