# Entry at address 0: the image is loaded there by the chip, .data in place; .bss is cleared here.
    .section .start, "ax"
    .globl start
start:
    .option push
    .option norelax
    la gp, global_pointer
    .option pop
    la sp, stack_top
    la a0, bss_begin
    la a1, bss_end
1:  bgeu a0, a1, 2f
    sw zero, 0(a0)
    addi a0, a0, 4
    j 1b
2:  call main
    ebreak              # main never returns: a trap tells the host
