// Reads a FIFO whose head stands before it is asked for, looks scale factors up in a memory that answers in the same
// cycle, writes its results into somebody else's memory; start is a level that is held until done. Delays as old sources
// have them. H.264 4x4 Hadamard transform of DC coefficients; `gain` has to hold ones, `twist` names the order of rows.
`timescale 1ns / 1ps
module fifo_hadamard (
    input  logic               clk,
    input  logic               nrst,
    input  logic               enable,
    output logic               finished,
    output logic               fifo_rd,
    input  logic signed [13:0] fifo_q,
    input  logic               fifo_full,
    input  logic        [1:0]  twist[0:3],
    output logic        [3:0]  gain_adr,
    input  logic        [3:0]  gain,
    output logic               wr,
    output logic        [3:0]  wr_adr,
    output logic signed [17:0] wr_data
);
  logic signed [17:0] m[16];
  logic [4:0] n;
  enum logic [1:0] {IDLE, LOAD, STORE, DONE} st;
  assign fifo_rd  = st == LOAD && fifo_full;
  assign gain_adr = n[3:0];
  assign finished = st == DONE;
  function automatic logic sign(input logic [1:0] row, input logic [1:0] column);
    return row == 1 ? column > 1 : row == 2 ? (column == 1 || column == 2) : row == 3 ? column[0] : 1'b0;
  endfunction
  logic signed [17:0] sum;
  always_comb begin
    sum = 0;
    for (int i = 0; i < 16; i++)
      if (sign(n[3:2], i[3:2]) ^ sign(n[1:0], i[1:0])) sum -= m[i];
      else sum += m[i];
  end
  always_ff @(posedge clk or negedge nrst)
    if (!nrst) begin
      st <= #1 IDLE;
      n  <= #1 0;
      wr <= #1 0;
      wr_adr <= #1 0;
      wr_data <= #1 0;
    end else begin
      wr <= #1 0;
      case (st)
        IDLE: if (enable) begin st <= #1 LOAD; n <= #1 0; end
        LOAD: if (fifo_full) begin
          m[{twist[n[3:2]], n[1:0]}] <= #1 18'(fifo_q) * $signed({14'd0, gain});
          n <= #1 n + 1;
          if (n == 15) begin st <= #1 STORE; n <= #1 0; end
        end
        STORE: begin
          wr <= #1 1; wr_adr <= #1 n[3:0]; wr_data <= #1 sum;
          n <= #1 n + 1;
          if (n == 15) st <= #1 DONE;
        end
        DONE: if (!enable) st <= #1 IDLE;
      endcase
    end
endmodule
