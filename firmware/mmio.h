// Registers of the chip and the mover between device memory and the processor's own memory.
//
// All contact with the outside goes through these four functions; the host tests put a recording mock behind them.

#ifndef MMIO_H
#define MMIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tasic_registers.h"

// Byte offset of a register, e.g. REG(firmware_status), QUEUE_REG(n, tail), CORE_REG(n, start).
#define REG(member) ((uint32_t)offsetof(tasic_t, member))
#define QUEUE_REG(n, member)                                                        \
    (REG(queues) + (uint32_t)(n) * (uint32_t)sizeof(tasic__queuesx__stride40_t) +   \
     (uint32_t)offsetof(tasic__queuesx__stride40_t, member))
#define FUNCTION_REG(n, member)                                                         \
    (REG(functions) + ((uint32_t)(n) - 1) * (uint32_t)sizeof(tasic__functionsx_t) + \
     (uint32_t)offsetof(tasic__functionsx_t, member))
#define CORE_REG(n, member)                                                         \
    (REG(cores) + (uint32_t)(n) * (uint32_t)sizeof(tasic__coresx__stride40_t) +     \
     (uint32_t)offsetof(tasic__coresx__stride40_t, member))

#ifdef HOST_TEST
uint32_t mmio_read(uint32_t offset);
void mmio_write(uint32_t offset, uint32_t value);
uint32_t local_address(const void *pointer);
#else
#define MMIO_BASE 0x40000000u
static inline uint32_t mmio_read(uint32_t offset)
{
    return *(volatile uint32_t *)(MMIO_BASE + offset);
}
static inline void mmio_write(uint32_t offset, uint32_t value)
{
    *(volatile uint32_t *)(MMIO_BASE + offset) = value;
}
static inline uint32_t local_address(const void *pointer)
{
    // The mover writes memory behind the compiler's back.
    __asm__ volatile("" ::: "memory");
    return (uint32_t)pointer;
}
#endif

// Copy `bytes` (a multiple of 4) from device memory to `to`, or from `from` to device memory. False: the hardware
// refused the addresses, nothing was copied.
bool device_read(void *to, uint64_t from, uint32_t bytes);
bool device_write(uint64_t to, const void *from, uint32_t bytes);

// Ticks of the control clock since reset.
uint64_t ticks_now(void);

#endif
