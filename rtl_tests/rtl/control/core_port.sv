// The registers of one core: starts its jobs, stamps their begin and end, keeps what the core says of the last one.

`default_nettype none

module core_port (
    input  wire logic        clk,
    input  wire logic        rst_n,
    input  wire logic        there_i,           // the core exists
    input  wire logic [63:0] ticks_i,
    input  wire logic        start_i,           // the firmware's writes, for one cycle
    input  wire logic        reset_i,
    // the core
    output      logic        start_valid_o,     // held until ready; job address and function stand in registers
    input  wire logic        start_ready_i,
    output      logic        reset_o,           // end the job that runs with result CORE_RESET, for one cycle
    input  wire logic        done_i,            // for one cycle
    input  wire logic [ 7:0] result_i,          // status, detail and bytes of the job, with done
    input  wire logic [31:0] detail_i,
    input  wire logic [31:0] bytes_i,
    // registers
    output      logic        busy_o,
    output      logic [ 7:0] result_o,
    output      logic [31:0] detail_o,
    output      logic [31:0] bytes_o,
    output      logic [63:0] started_o,
    output      logic [63:0] finished_o,
    output      logic [31:0] busy_ticks_o,
    output      logic        finished_now_o     // for one cycle, with the registers
);

  assign reset_o = reset_i && busy_o;

  always_ff @(posedge clk) begin
    if (!rst_n) begin
      start_valid_o  <= 1'b0;
      busy_o         <= 1'b0;
      result_o       <= '0;
      detail_o       <= '0;
      bytes_o        <= '0;
      started_o      <= '0;
      finished_o     <= '0;
      busy_ticks_o   <= '0;
      finished_now_o <= 1'b0;
    end else begin
      finished_now_o <= 1'b0;
      if (start_valid_o && start_ready_i) start_valid_o <= 1'b0;
      if (start_i && !busy_o && there_i) begin
        start_valid_o <= 1'b1;
        busy_o        <= 1'b1;
        result_o      <= '0;
        started_o     <= ticks_i;
      end
      if (done_i && busy_o) begin
        busy_o         <= 1'b0;
        result_o       <= result_i;
        detail_o       <= detail_i;
        bytes_o        <= bytes_i;
        finished_o     <= ticks_i;
        busy_ticks_o   <= busy_ticks_o + ticks_i[31:0] - started_o[31:0];
        finished_now_o <= 1'b1;
      end
    end
  end

  property p_done_only_after_start;
    @(posedge clk) disable iff (!rst_n || $time == 0) done_i |-> busy_o && !start_valid_o;
  endproperty
  assert property (p_done_only_after_start) else $error("core_port: a core ended a job that it was not given");

  handshake_check i_start (.clk, .rst_n, .valid_i(start_valid_o), .ready_i(start_ready_i), .payload_i(1'b0));

endmodule

`default_nettype wire
