// The control processor: PicoRV32 (pythondata-cpu-picorv32) with its own memory, a register port, and what stops it.
//
// Memory is read and written over PicoRV32's look-ahead port, so it never makes the processor wait; the register port
// takes as long as ready is held back. The local port (boot loader, mover) takes the memory's only port: it may be used
// while the processor is in reset or waits on the register port.
//
// PicoRV32 knows one kind of stop, `trap`. Cause, address and value in the terms of the privileged specification come
// from what was seen on its bus: the instruction that stopped it is the last but one that was fetched, since the one
// behind it is fetched ahead. An access to where there is neither memory nor register is never answered.

`default_nettype none

module control_processor #(
    parameter int unsigned MEMORY_WORDS = 32768  // 32-bit words of code, data and stack
) (
    input  wire logic        clk,
    input  wire logic        rst_n,              // of the memory and counters
    input  wire logic        run_i,              // 0 holds the processor in reset
    // register port: one access at a time, held until ready
    output      logic        register_valid_o,
    output      logic        register_write_o,
    output      logic [11:0] register_address_o, // byte offset in the register window
    output      logic [31:0] register_data_o,
    input  wire logic        register_ready_i,
    input  wire logic [31:0] register_data_i,
    // local port: a word a cycle, read data a cycle later
    input  wire logic        local_valid_i,
    input  wire logic        local_write_i,
    input  wire logic [$clog2(MEMORY_WORDS)-1:0] local_word_i,
    input  wire logic [31:0] local_data_i,
    output      logic [31:0] local_data_o,
    // once it stopped
    output      logic        fault_o,
    output      logic [ 3:0] fault_cause_o,      // mcause
    output      logic [31:0] fault_pc_o,
    output      logic [31:0] fault_value_o,      // mtval; of misaligned accesses without the two low bits
    output      logic        retired_o           // an instruction was done
);

  localparam logic [31:0] REGISTER_BASE = 32'h4000_0000;
  localparam int unsigned ADDRESS_W = $clog2(MEMORY_WORDS);
  // mcause of the privileged specification
  localparam logic [3:0] FETCH_FAULT = 4'd1, ILLEGAL = 4'd2, BREAKPOINT = 4'd3, LOAD_MISALIGNED = 4'd4;
  localparam logic [3:0] LOAD_FAULT = 4'd5, STORE_MISALIGNED = 4'd6, STORE_FAULT = 4'd7, CALL = 4'd11;
  localparam int unsigned TRACE_ADDRESS = 33;  // bit of trace_data: an address, no result

  logic        valid, instruction, ready, ahead_read, ahead_write, trap, traced;
  logic [31:0] address, write_data, read_data, ahead_address, ahead_data, memory_data;
  logic [ 3:0] strobe, ahead_strobe;
  logic [35:0] trace_data;
  logic        in_registers, in_memory, ahead_in_memory;

  assign in_registers       = address[31:12] == REGISTER_BASE[31:12] && !instruction && (strobe == '0 || strobe == '1);
  assign in_memory          = address[31:ADDRESS_W+2] == '0;
  assign ahead_in_memory    = ahead_address[31:ADDRESS_W+2] == '0;
  assign register_valid_o   = valid && in_registers;
  assign register_write_o   = strobe != '0;
  assign register_address_o = address[11:0];
  assign register_data_o    = write_data;
  assign ready              = in_registers ? register_ready_i : in_memory;
  assign read_data          = in_registers ? register_data_i : memory_data;
  assign local_data_o       = memory_data;
  assign retired_o          = traced && !trace_data[TRACE_ADDRESS];

  logic unused;  // words only
  assign unused = &{1'b0, ahead_address[1:0]};

  logic own_access;
  assign own_access = (ahead_read || ahead_write) && ahead_in_memory;

  sram_1rw_bytes #(
      .BYTES(4),
      .WORDS(MEMORY_WORDS)
  ) memory (
      .clk      (clk),
      .enable_i (local_valid_i || own_access),
      .write_i  (local_valid_i ? {4{local_write_i}} : ahead_write ? ahead_strobe : '0),
      .address_i(local_valid_i ? local_word_i : ahead_address[ADDRESS_W+1:2]),
      .data_i   (local_valid_i ? local_data_i : ahead_data),
      .data_o   (memory_data)
  );

  // Neither coprocessor nor interrupts:
  // verilator lint_off PINCONNECTEMPTY
  picorv32 #(
      .ENABLE_COUNTERS(0), .ENABLE_COUNTERS64(0), .CATCH_MISALIGN(1), .CATCH_ILLINSN(1), .ENABLE_MUL(1),
      .ENABLE_DIV(1), .ENABLE_TRACE(1), .PROGADDR_RESET(0)
  ) processor (
      .clk(clk), .resetn(rst_n && run_i), .trap(trap),
      .mem_valid(valid), .mem_instr(instruction), .mem_ready(ready), .mem_addr(address), .mem_wdata(write_data),
      .mem_wstrb(strobe), .mem_rdata(read_data),
      .mem_la_read(ahead_read), .mem_la_write(ahead_write), .mem_la_addr(ahead_address), .mem_la_wdata(ahead_data),
      .mem_la_wstrb(ahead_strobe),
      .pcpi_valid(), .pcpi_insn(), .pcpi_rs1(), .pcpi_rs2(), .pcpi_wr(1'b0), .pcpi_rd(32'b0), .pcpi_wait(1'b0),
      .pcpi_ready(1'b0), .irq(32'b0), .eoi(), .trace_valid(traced), .trace_data(trace_data)
  );
  // verilator lint_on PINCONNECTEMPTY

  // ------------------------------------------------------------------------------------------------ what stopped it

  logic [31:0] fetched_pc_q, before_pc_q, fetched_q, before_q, data_address_q;
  logic        bus_fault;
  assign bus_fault = valid && !in_registers && !in_memory;

  function automatic logic [3:0] trap_cause(input logic [31:0] word);
    if (word[6:0] == 7'h03) return word[13:12] == 2'd3 ? ILLEGAL : LOAD_MISALIGNED;
    if (word[6:0] == 7'h23) return word[14] || word[13:12] == 2'd3 ? ILLEGAL : STORE_MISALIGNED;
    if (word == 32'h0010_0073) return BREAKPOINT;
    if (word == 32'h0000_0073) return CALL;
    return ILLEGAL;
  endfunction

  logic [3:0] cause;
  assign cause = trap_cause(before_q);

  always_ff @(posedge clk) begin
    if (!rst_n || !run_i) begin
      fault_o        <= 1'b0;
      fault_cause_o  <= '0;
      fault_pc_o     <= '0;
      fault_value_o  <= '0;
      fetched_pc_q   <= '0;
      before_pc_q    <= '0;
      fetched_q      <= '0;
      before_q       <= '0;
      data_address_q <= '0;
    end else begin
      if (valid && ready && instruction) begin
        fetched_pc_q <= address;
        fetched_q    <= read_data;
        before_pc_q  <= fetched_pc_q;
        before_q     <= fetched_q;
      end
      if (valid && !instruction) data_address_q <= address;
      if (bus_fault && !fault_o) begin
        fault_o       <= 1'b1;
        fault_cause_o <= instruction ? FETCH_FAULT : strobe != '0 ? STORE_FAULT : LOAD_FAULT;
        fault_pc_o    <= instruction ? address : before_pc_q;
        fault_value_o <= address;
      end else if (trap && !fault_o) begin
        fault_o       <= 1'b1;
        fault_cause_o <= cause;
        fault_pc_o    <= before_pc_q;
        unique case (cause)
          ILLEGAL:    fault_value_o <= before_q;
          BREAKPOINT: fault_value_o <= before_pc_q;
          CALL:       fault_value_o <= '0;
          default:    fault_value_o <= data_address_q;
        endcase
      end
    end
  end

  // The memory has one port.
  property p_local_port_alone;
    @(posedge clk) disable iff (!rst_n || $time == 0) local_valid_i |-> !own_access;
  endproperty
  assert property (p_local_port_alone) else $error("control_processor: local port used while the processor runs");

endmodule

`default_nettype wire
