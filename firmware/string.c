// The two functions that a compiler may call for struct copies and initialisers, even freestanding.

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    if ((((uintptr_t)out | (uintptr_t)in) & 3u) == 0) {
        for (; bytes >= 4; bytes -= 4, out += 4, in += 4)
            *(uint32_t *)out = *(const uint32_t *)in;
    }
    while (bytes--)
        *out++ = *in++;
    return to;
}

void *memset(void *to, int value, size_t bytes)
{
    uint8_t *out = to;
    if (((uintptr_t)out & 3u) == 0) {
        uint32_t word = (uint8_t)value * 0x01010101u;
        for (; bytes >= 4; bytes -= 4, out += 4)
            *(uint32_t *)out = word;
    }
    while (bytes--)
        *out++ = (uint8_t)value;
    return to;
}
