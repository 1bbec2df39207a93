// The control processor as the chip has it: PicoRV32 (pythondata-cpu-picorv32), its own memory, and a register port.
//
// Memory is read and written over PicoRV32's look-ahead port, so it never makes the processor wait; the register port
// takes as long as ready is held back. The memory array is public: the mover writes it from outside, as it does on the chip while the processor stalls on the register port.
module control_processor #(
    parameter int MEMORY_WORDS = 32768  // 32-bit words of code, data and stack
) (
    input  logic        clk,
    input  logic        rst_n,
    // register port: one access at a time, held until ready
    output logic        register_valid_o,
    output logic        register_write_o,
    output logic [31:0] register_address_o,  // byte offset in the register window
    output logic [31:0] register_data_o,
    input  logic        register_ready_i,
    input  logic [31:0] register_data_i,
    output logic        trap_o,
    output logic [63:0] cycles_o             // clock cycles since reset
);
    localparam logic [31:0] REGISTER_BASE = 32'h4000_0000;
    localparam int ADDRESS_W = $clog2(MEMORY_WORDS);

    logic [31:0] memory[MEMORY_WORDS]  /* verilator public_flat_rw */;

    logic        valid, ready, ahead_read, ahead_write;
    logic [31:0] address, write_data, read_data, ahead_address, ahead_data;
    logic [ 3:0] strobe, ahead_strobe;
    logic        in_registers;
    logic [31:0] memory_data_q;

    assign in_registers       = address[31:12] == REGISTER_BASE[31:12];
    assign register_valid_o   = valid && in_registers;
    assign register_write_o   = |strobe;
    assign register_address_o = {20'b0, address[11:0]};
    assign register_data_o    = write_data;
    assign ready              = in_registers ? register_ready_i : 1'b1;
    assign read_data          = in_registers ? register_data_i : memory_data_q;

    always_ff @(posedge clk) begin
        if (ahead_read) memory_data_q <= memory[ahead_address[ADDRESS_W+1:2]];
        if (ahead_write && ahead_address[31:12] != REGISTER_BASE[31:12])
            for (int lane = 0; lane < 4; lane++)
                if (ahead_strobe[lane])
                    memory[ahead_address[ADDRESS_W+1:2]][8*lane+:8] <= ahead_data[8*lane+:8];
        cycles_o <= rst_n ? cycles_o + 64'd1 : '0;
    end

    picorv32 #(
        .ENABLE_COUNTERS(0), .ENABLE_COUNTERS64(0), .CATCH_MISALIGN(1), .CATCH_ILLINSN(1),
        .ENABLE_MUL(1), .ENABLE_DIV(1), .PROGADDR_RESET(0)
    ) processor (
        .clk(clk), .resetn(rst_n), .trap(trap_o),
        .mem_valid(valid), .mem_instr(), .mem_ready(ready), .mem_addr(address), .mem_wdata(write_data),
        .mem_wstrb(strobe), .mem_rdata(read_data),
        .mem_la_read(ahead_read), .mem_la_write(ahead_write), .mem_la_addr(ahead_address), .mem_la_wdata(ahead_data),
        .mem_la_wstrb(ahead_strobe),
        .pcpi_valid(), .pcpi_insn(), .pcpi_rs1(), .pcpi_rs2(), .pcpi_wr(1'b0), .pcpi_rd(32'b0), .pcpi_wait(1'b0),
        .pcpi_ready(1'b0), .irq(32'b0), .eoi(), .trace_valid(), .trace_data()
    );
endmodule
